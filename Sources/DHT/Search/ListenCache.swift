import Runtime

/// What one listening knows, so that every value is reported once and its end is noticed.
///
/// Several nodes tell about the same value; it is there as long as one of them keeps it. Contents are told apart without
/// looking at editions, since signatures have not been checked here. Source: DHT protocol, "Listener cache".
struct ListenCache {
    enum Holder: Hashable {
        case own
        case node(NodeIndex)
    }

    private struct Entry {
        let mark: ValueMark
        let lifetime: Duration
        var holders: [(holder: Holder, expires: Instant)]

        mutating func hold(_ holder: Holder, until expires: Instant) {
            if let index = holders.firstIndex(where: { $0.holder == holder }) {
                holders[index].expires = expires
            } else {
                holders.append((holder, expires))
            }
        }
    }

    private var entries: [UInt64: [Entry]] = [:]
    /// Ids in the order in which they came.
    private var order: [UInt64] = []
    private let limit: Int
    private let variants: Int
    private var lastSweep = Instant.longAgo

    init(limit: Int, variants: Int) {
        self.limit = limit
        self.variants = variants
    }

    var isEmpty: Bool { entries.isEmpty }

    /// Takes note of a value; whether it is news.
    mutating func add(_ value: Value, lifetime: Duration, from holder: Holder, now: Instant) -> Bool {
        let mark = ValueMark(value)
        if let index = entries[value.id]?.firstIndex(where: { $0.mark == mark }) {
            entries[value.id]?[index].hold(holder, until: now + lifetime)
            return false
        }
        if entries[value.id] == nil {
            order.append(value.id)
            if entries.count >= limit { dropOldest() }
        }
        entries[value.id, default: []].append(
            Entry(mark: mark, lifetime: lifetime, holders: [(holder, now + lifetime)])
        )
        if let count = entries[value.id]?.count, count > variants { entries[value.id]?.removeFirst() }
        return true
    }

    private mutating func dropOldest() {
        var dropped = 0
        while dropped < order.count, entries.count >= limit {
            entries[order[dropped]] = nil
            dropped += 1
        }
        order.removeFirst(dropped)
    }

    mutating func refresh(_ id: UInt64, by holder: Holder, now: Instant) {
        guard let count = entries[id]?.count else { return }
        for index in 0..<count {
            guard let entry = entries[id]?[index], entry.holders.contains(where: { $0.holder == holder }) else {
                continue
            }
            entries[id]?[index].hold(holder, until: now + entry.lifetime)
        }
    }

    /// A holder does not keep a value any more; whether nobody does.
    mutating func remove(_ id: UInt64, from holder: Holder) -> Bool {
        guard filterHolders(of: id, { $0.holder != holder }) else { return false }
        order.removeAll { $0 == id }
        return true
    }

    /// Nothing is known any more about what a holder keeps.
    ///
    /// - Returns: the ids that nobody keeps now.
    mutating func remove(holder: Holder) -> [UInt64] {
        filterAll { $0.holder != holder }
    }

    /// - Returns: the ids that have expired everywhere.
    mutating func expire(at now: Instant) -> [UInt64] {
        guard now - lastSweep >= Timing.listenSweep else { return [] }
        lastSweep = now
        return filterAll { $0.expires > now }
    }

    private mutating func filterAll(_ keep: ((holder: Holder, expires: Instant)) -> Bool) -> [UInt64] {
        let gone = order.filter { filterHolders(of: $0, keep) }
        if !gone.isEmpty { order.removeAll { entries[$0] == nil } }
        return gone
    }

    private mutating func filterHolders(
        of id: UInt64,
        _ keep: ((holder: Holder, expires: Instant)) -> Bool
    ) -> Bool {
        guard var variants = entries[id] else { return false }
        for index in variants.indices { variants[index].holders.removeAll { !keep($0) } }
        variants.removeAll { $0.holders.isEmpty }
        entries[id] = variants.isEmpty ? nil : variants
        return variants.isEmpty
    }
}
