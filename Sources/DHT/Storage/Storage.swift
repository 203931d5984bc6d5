import Keys
import Runtime

/// The values that this node keeps for the network and for itself, and who wants to hear of them.
///
/// Source: DHT protocol, "Storage" and "Pushing to listeners".
struct Storage: Sendable {
    struct Limits: Sendable {
        /// Bytes of values that others put here.
        var bytes = 64 << 20
        var keys = 1 << 17
        var valuesPerKey = 4096
        var valueSize = 64 << 10
        var listenersPerKey = 1024
        var socketsPerListener = 8
        /// At all keys together, and of one address or IPv6 network.
        var listeners = 1 << 16
        var listenersPerGroup = 1 << 14
    }

    struct Stored: Sendable {
        var value: Value
        var encoded: [UInt8]
        var expires: Instant
        /// Who is charged for it; `nil` for our own values.
        let group: UInt64?
        /// When its one entry among the expirations comes due; not after it expires.
        fileprivate var alarm = Instant.distantFuture

        var charge: Int { group == nil ? 0 : value.size + Storage.overhead }
    }

    struct Listener: Sendable {
        var node: NodeIndex
        var socket: UInt32
        var query: Query
        var refreshed: Instant
        /// It listens in the oldest way, without acknowledging.
        var isLegacy: Bool
        /// Whom it is counted for.
        var group: UInt64 = 0
    }

    struct Place: Sendable {
        /// Apart from the values, since puts look for an id among all of them.
        fileprivate(set) var ids: [UInt64] = []
        fileprivate(set) var values: [Stored] = []
        var listeners: [Listener] = []

        func index(of id: UInt64) -> Int? { ids.firstIndex(of: id) }
    }

    private struct Expiration: Sendable {
        var key: InfoHash
        var id: UInt64
        var alarm: Instant
    }

    /// Bytes that a value takes besides its own.
    static let overhead = 256
    static let listenerLifetime = Duration.seconds(600)

    let limits: Limits
    private(set) var places: [InfoHash: Place] = [:]
    private var expirations = DeadlineQueue<Expiration>()
    private var usage: [UInt64: Int] = [:]
    private(set) var bytes = 0
    private(set) var listenerCount = 0
    private var listenersByGroup: [UInt64: Int] = [:]
    private(set) var valueCount = 0

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    var nextExpiration: Instant? { expirations.next }

    func values(at key: InfoHash) -> [Stored] {
        places[key]?.values ?? []
    }

    /// The newest values at a key that match and fit into a number of bytes, at least one; the oldest of them first.
    func newestValues(
        at key: InfoHash,
        matching query: Query?,
        limit: Int
    ) -> (encoded: [[UInt8]], size: Int, isAll: Bool) {
        guard let stored = places[key]?.values else { return ([], 0, true) }
        var encoded: [[UInt8]] = []
        var size = 0
        for index in stored.indices.reversed() where query?.matches(stored[index].value) != false {
            guard encoded.isEmpty || size + stored[index].encoded.count <= limit else {
                return (encoded.reversed(), size, false)
            }
            encoded.append(stored[index].encoded)
            size += stored[index].encoded.count
        }
        return (encoded.reversed(), size, true)
    }

    func value(_ id: UInt64, at key: InfoHash) -> Stored? {
        guard let place = places[key], let index = place.index(of: id) else { return nil }
        return place.values[index]
    }

    func listeners(at key: InfoHash) -> [Listener] {
        places[key]?.listeners ?? []
    }

    // MARK: Values

    /// Whether there is room for one more value.
    func hasRoom(at key: InfoHash) -> Bool {
        guard let place = places[key] else { return places.count < limits.keys }
        return place.values.count < limits.valuesPerKey
    }

    /// Stores a value or replaces the one of the same id.
    ///
    /// - Returns: what had to go to make room.
    mutating func store(
        _ value: Value,
        at key: InfoHash,
        expires: Instant,
        group: UInt64?
    ) -> [(key: InfoHash, id: UInt64)] {
        var stored = Stored(value: value, encoded: value.encoded, expires: expires, group: group)
        if let index = places[key]?.index(of: value.id) {
            if let old = places[key]?.values[index] {
                discharge(old)
                stored.alarm = old.alarm
            }
            places[key]?.values[index] = stored
        } else {
            places[key, default: Place()].ids.append(value.id)
            places[key]?.values.append(stored)
            valueCount += 1
        }
        charge(stored)
        setAlarm(value.id, at: key)
        return bytes > limits.bytes ? makeRoom() : []
    }

    /// Lets a value live longer.
    mutating func extend(_ id: UInt64, at key: InfoHash, until expires: Instant) {
        guard let index = places[key]?.index(of: id), let old = places[key]?.values[index].expires, old < expires
        else { return }
        places[key]?.values[index].expires = expires
    }

    /// Sees to it that the value is looked at when it expires at the latest.
    ///
    /// A value that is refreshed again and again keeps its one entry, which moves on when it comes due.
    private mutating func setAlarm(_ id: UInt64, at key: InfoHash) {
        guard let index = places[key]?.index(of: id), let stored = places[key]?.values[index],
            stored.expires < stored.alarm
        else { return }
        places[key]?.values[index].alarm = stored.expires
        if expirations.count > 2 * valueCount + 4096 {
            rebuildExpirations()
        } else {
            expirations.insert(Expiration(key: key, id: id, alarm: stored.expires), at: stored.expires)
        }
    }

    /// Gets rid of the entries of values that are gone.
    private mutating func rebuildExpirations() {
        expirations = DeadlineQueue()
        for key in places.keys.sorted() {
            for stored in places[key]?.values ?? [] where stored.alarm != .distantFuture {
                let entry = Expiration(key: key, id: stored.value.id, alarm: stored.alarm)
                expirations.insert(entry, at: stored.alarm)
            }
        }
    }

    @discardableResult
    mutating func remove(_ id: UInt64, at key: InfoHash) -> Bool {
        guard let index = places[key]?.index(of: id), let stored = places[key]?.values[index] else { return false }
        discharge(stored)
        places[key]?.ids.remove(at: index)
        places[key]?.values.remove(at: index)
        valueCount -= 1
        removePlaceIfEmpty(key)
        return true
    }

    /// Removes one value whose time has come; `nil` when there is none left.
    mutating func expireOne(at now: Instant) -> (key: InfoHash, id: UInt64)? {
        while let due = expirations.popDue(at: now) {
            guard let place = places[due.key], let index = place.index(of: due.id),
                place.values[index].alarm == due.alarm
            else { continue }
            guard place.values[index].expires <= now else {
                places[due.key]?.values[index].alarm = .distantFuture
                setAlarm(due.id, at: due.key)
                continue
            }
            remove(due.id, at: due.key)
            return (due.key, due.id)
        }
        return nil
    }

    // MARK: Quota

    private mutating func charge(_ stored: Stored) {
        guard let group = stored.group else { return }
        usage[group, default: 0] += stored.charge
        bytes += stored.charge
    }

    private mutating func discharge(_ stored: Stored) {
        guard let group = stored.group else { return }
        let left = (usage[group] ?? 0) - stored.charge
        usage[group] = left > 0 ? left : nil
        bytes -= stored.charge
    }

    /// Takes from whoever uses most, what expires first, until a sixteenth of the quota is free.
    ///
    /// Freeing more than is needed keeps the search for what to take rare.
    private mutating func makeRoom() -> [(key: InfoHash, id: UInt64)] {
        let goal = limits.bytes - limits.bytes / 16
        var removed: [(key: InfoHash, id: UInt64)] = []
        while bytes > goal {
            guard let greedy = usage.max(by: { ($0.value, $0.key) < ($1.value, $1.key) })?.key else { break }
            var candidates: [(expires: Instant, key: InfoHash, id: UInt64)] = []
            for (key, place) in places {
                for stored in place.values where stored.group == greedy {
                    candidates.append((stored.expires, key, stored.value.id))
                }
            }
            guard !candidates.isEmpty else { break }
            candidates.sort { ($0.expires, $0.key, $0.id) < ($1.expires, $1.key, $1.id) }
            let second = usage.filter { $0.key != greedy }.values.max() ?? 0
            for candidate in candidates {
                remove(candidate.id, at: candidate.key)
                removed.append((candidate.key, candidate.id))
                if bytes <= goal || (usage[greedy] ?? 0) < second { break }
            }
        }
        return removed
    }

    private mutating func removePlaceIfEmpty(_ key: InfoHash) {
        guard let place = places[key], place.values.isEmpty, place.listeners.isEmpty else { return }
        places[key] = nil
    }

    // MARK: Listeners

    /// Registers a listener or refreshes its registration; whether it is new, or `nil` when there is no room.
    mutating func listen(_ listener: Listener, at key: InfoHash) -> Bool? {
        if let index = places[key]?.listeners.firstIndex(where: {
            $0.node == listener.node && $0.socket == listener.socket
        }) {
            var listener = listener
            listener.group = places[key]?.listeners[index].group ?? listener.group
            places[key]?.listeners[index] = listener
            return false
        }
        guard places[key] != nil || places.count < limits.keys else { return nil }
        let listeners = places[key]?.listeners ?? []
        if listeners.count(where: { $0.node == listener.node }) >= limits.socketsPerListener,
            let oldest = listeners.firstIndex(where: { $0.node == listener.node }),
            let removed = places[key]?.listeners.remove(at: oldest)
        {
            discount(removed)
        }
        guard places[key]?.listeners.count ?? 0 < limits.listenersPerKey, listenerCount < limits.listeners,
            listenersByGroup[listener.group] ?? 0 < limits.listenersPerGroup
        else { return nil }
        places[key, default: Place()].listeners.append(listener)
        listenerCount += 1
        listenersByGroup[listener.group, default: 0] += 1
        return true
    }

    private mutating func discount(_ listener: Listener) {
        listenerCount -= 1
        let left = (listenersByGroup[listener.group] ?? 0) - 1
        listenersByGroup[listener.group] = left > 0 ? left : nil
    }

    /// Forgets listeners that have not refreshed their registration.
    mutating func sweep(at now: Instant) {
        for key in places.keys {
            for listener in places[key]?.listeners ?? [] where now - listener.refreshed >= Self.listenerLifetime {
                discount(listener)
            }
            places[key]?.listeners.removeAll { now - $0.refreshed >= Self.listenerLifetime }
            removePlaceIfEmpty(key)
        }
    }

    func forEachListener(_ body: (NodeIndex) -> Void) {
        for place in places.values {
            for listener in place.listeners { body(listener.node) }
        }
    }
}
