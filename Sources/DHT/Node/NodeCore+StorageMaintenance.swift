import Keys
import Runtime

/// Handing values of others on to the nodes that have come closer to their keys.
///
/// Source: DHT protocol, "Storage".
extension NodeCore {
    /// Looks at some keys, so that each has had its turn after ``Timing/storageMaintenance``.
    func storageMaintenanceDue(now: Instant) {
        timers.insert(.storageMaintenance, at: now + Timing.storageMaintenanceStep)
        if maintained.isEmpty {
            guard now >= maintenanceBegins else { return }
            maintenanceBegins = now + Timing.storageMaintenance
            maintained = storage.places.keys.sorted()
            maintenanceShare = maintained.count / Timing.storageMaintenanceSteps + 1
        }
        for key in maintained.suffix(maintenanceShare) { maintain(key, now: now) }
        maintained.removeLast(min(maintenanceShare, maintained.count))
    }

    private func maintain(_ key: InfoHash, now: Instant) {
        var others = connected
        for family in connected.members where isAmongClosest(to: key, in: family, now: now) {
            others.remove(Endpoint.Families(family))
        }
        guard !others.isEmpty else { return }
        for stored in storage.values(at: key) where stored.group != nil && stored.expires - now > .seconds(600) {
            handOn(stored, at: key, to: others, now: now)
        }
    }

    private func isAmongClosest(to key: InfoHash, in family: Endpoint.Family, now: Instant) -> Bool {
        let closest = states[family].table.closest(to: key, count: Timing.target, nodes: nodes, now: now)
        guard closest.count == Timing.target, let last = closest.last else { return true }
        return !last.id.isCloser(to: key, than: id)
    }

    private func handOn(_ stored: Storage.Stored, at key: InfoHash, to families: Endpoint.Families, now: Instant) {
        let made = families.members.compactMap { search(for: SearchID(key: key, family: $0), now: now) }
        guard let wanted = made.first?.wanted, !wanted.announces.contains(where: { $0.id == stored.value.id }) else {
            return
        }
        let lifetime = types.lifetime(of: stored.value)
        let age = lifetime - (stored.expires - now)
        wanted.announces.append(
            Announce(
                id: stored.value.id,
                value: stored.value,
                encoded: stored.encoded,
                created: unixSeconds(now) - max(age.components.seconds, 0),
                isPermanent: false,
                isHandedOn: true,
                needsProbe: true,
                deadline: now + limits.operation,
                parts: Parts(made.reduce(into: []) { $0.insert(Endpoint.Families($1.family)) }),
                waiting: [],
                lifetime: lifetime
            )
        )
        for search in made { mark(search) }
    }

    /// Others keep a value now: it can go where nobody would look for it here.
    func wasHandedOn(_ announce: Announce, at key: InfoHash, now: Instant) {
        let isNeeded = connected.members.contains { isAmongClosest(to: key, in: $0, now: now) }
        guard announce.parts.hasSucceeded, !isNeeded, let stored = storage.value(announce.id, at: key),
            stored.group != nil, stored.value == announce.value
        else { return }
        removeStored([(key, announce.id)], now: now)
    }
}
