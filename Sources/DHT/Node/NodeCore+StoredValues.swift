import Keys
package import Runtime

/// Values over the end of a run. Source: DHT protocol, "State file".
extension NodeCore {
    private func wallTime(_ now: Instant) -> WallTime {
        WallTime(milliseconds: wallOrigin &+ now.nanoseconds / 1_000_000)
    }

    /// What is stored here now, as it may be stored again later: nothing is permanent any more then.
    package func storedValues(now: Instant) -> [StoredValue] {
        let wallTime = wallTime(now)
        var result: [StoredValue] = []
        for key in storage.places.keys.sorted() {
            for stored in storage.values(at: key) where stored.expires > now {
                guard result.count < NodeState.valueCapacity else { return result }
                let lifetime = types.lifetime(of: stored.value)
                let left = min(stored.expires - now, lifetime)
                let expires = WallTime(milliseconds: wallTime.milliseconds &+ left.wholeMilliseconds)
                let created = WallTime(milliseconds: expires.milliseconds &- lifetime.wholeMilliseconds)
                result.append(
                    StoredValue(
                        key: key,
                        value: stored.value,
                        created: .wallTime(created),
                        expires: expires,
                        source: stored.group.map { Endpoint(quotaGroup: $0) }
                    )
                )
            }
        }
        return result
    }

    /// Stores values of an earlier run until their time is over; what is here already stays as it is.
    ///
    /// They are not checked again, since whoever reads them does so.
    package func restore(_ values: [StoredValue], now: Instant) {
        let wallTime = wallTime(now)
        for stored in values.prefix(NodeState.valueCapacity) {
            let left = stored.remaining(now: now, wallTime: wallTime, types: types)
            guard left > .zero, !stored.key.isZero, stored.value.id != 0,
                stored.value.size <= storage.limits.valueSize,
                storage.value(stored.value.id, at: stored.key) == nil
            else { continue }
            let group = stored.source?.quotaGroup
            store(stored.value, at: stored.key, expires: now + left, group: group, now: now)
        }
        settle(now)
    }
}
