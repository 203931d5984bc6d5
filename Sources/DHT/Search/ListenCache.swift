import Runtime

/// What one listening knows, so that every value is reported once, its end is noticed, and others can be told at once.
///
/// Several nodes tell about the same value; it is there as long as one of them keeps it. Contents are told apart without
/// looking at editions, since signatures have not been checked here: a node that shows another content has replaced the
/// one before. Source: DHT protocol, "Listener cache".
struct ListenCache {
    enum Holder: Hashable {
        case own
        case node(NodeIndex)
    }

    /// A value that nobody keeps any more; `nil` for a content that was too much to remember.
    struct Gone: Equatable {
        let id: UInt64
        let value: Value?
    }

    private struct Entry {
        let mark: ValueMark
        let value: Value?
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

    /// What a cache remembers at most.
    struct Limits {
        /// Ids.
        var values: Int
        /// Contents of one id.
        var variants: Int
        /// Bytes of all contents; beyond them only marks are kept.
        var bytes: Int
    }

    private var entries: [UInt64: [Entry]] = [:]
    /// Ids in the order in which they came.
    private var order: [UInt64] = []
    private let limits: Limits
    private var bytes = 0
    private var lastSweep = Instant.longAgo

    /// Whether ``values(at:)`` are all that was heard: nothing had to be left out so far.
    private(set) var isComplete = true

    init(limits: Limits) {
        self.limits = limits
    }

    var isEmpty: Bool { entries.isEmpty }

    /// The values that somebody keeps, in the order in which they came.
    func values(at now: Instant) -> [Value] {
        order.flatMap { id in
            (entries[id] ?? []).compactMap { entry in
                entry.holders.contains { $0.expires > now } ? entry.value : nil
            }
        }
    }

    /// Takes note of a value; whether it is news.
    mutating func add(_ value: Value, lifetime: Duration, from holder: Holder, now: Instant) -> Bool {
        let mark = ValueMark(value)
        if let index = entries[value.id]?.firstIndex(where: { $0.mark == mark }) {
            entries[value.id]?[index].hold(holder, until: now + lifetime)
            // A node keeps one content for an id.
            if let count = entries[value.id]?.count, count > 1 { release(holder, of: value.id, except: mark) }
            return false
        }
        if entries[value.id] == nil {
            order.append(value.id)
            if entries.count >= limits.values { dropOldest() }
        } else {
            release(holder, of: value.id, except: mark)
        }
        let isKept = bytes + value.size <= limits.bytes
        if isKept { bytes += value.size } else { isComplete = false }
        let entry = Entry(
            mark: mark,
            value: isKept ? value : nil,
            lifetime: lifetime,
            holders: [(holder, now + lifetime)]
        )
        entries[value.id, default: []].append(entry)
        if let count = entries[value.id]?.count, count > limits.variants, let dropped = entries[value.id]?.removeFirst()
        {
            forget(dropped)
            isComplete = false
        }
        return true
    }

    private mutating func forget(_ entry: Entry) {
        bytes -= entry.value?.size ?? 0
    }

    private mutating func release(_ holder: Holder, of id: UInt64, except mark: ValueMark) {
        guard var variants = entries[id] else { return }
        for index in variants.indices where variants[index].mark != mark {
            variants[index].holders.removeAll { $0.holder == holder }
            if variants[index].holders.isEmpty { forget(variants[index]) }
        }
        variants.removeAll { $0.holders.isEmpty }
        entries[id] = variants
    }

    private mutating func dropOldest() {
        var dropped = 0
        while dropped < order.count, entries.count >= limits.values {
            for entry in entries[order[dropped]] ?? [] { forget(entry) }
            entries[order[dropped]] = nil
            dropped += 1
        }
        order.removeFirst(dropped)
        isComplete = false
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

    /// A holder does not keep a value any more.
    ///
    /// - Returns: what is gone, if nobody else keeps it.
    mutating func remove(_ id: UInt64, from holder: Holder) -> Gone? {
        guard let gone = filterHolders(of: id, { $0.holder != holder }) else { return nil }
        order.removeAll { $0 == id }
        return gone
    }

    /// Nothing is known any more about what a holder keeps.
    ///
    /// - Returns: what nobody keeps now.
    mutating func remove(holder: Holder) -> [Gone] {
        filterAll { $0.holder != holder }
    }

    /// - Returns: what has expired everywhere.
    mutating func expire(at now: Instant) -> [Gone] {
        guard now - lastSweep >= Timing.listenSweep else { return [] }
        lastSweep = now
        return filterAll { $0.expires > now }
    }

    private mutating func filterAll(_ keep: ((holder: Holder, expires: Instant)) -> Bool) -> [Gone] {
        let gone = order.compactMap { filterHolders(of: $0, keep) }
        if !gone.isEmpty { order.removeAll { entries[$0] == nil } }
        return gone
    }

    private mutating func filterHolders(
        of id: UInt64,
        _ keep: ((holder: Holder, expires: Instant)) -> Bool
    ) -> Gone? {
        guard var variants = entries[id] else { return nil }
        let last = variants.last?.value
        for index in variants.indices {
            variants[index].holders.removeAll { !keep($0) }
            if variants[index].holders.isEmpty { forget(variants[index]) }
        }
        variants.removeAll { $0.holders.isEmpty }
        entries[id] = variants.isEmpty ? nil : variants
        return variants.isEmpty ? Gone(id: id, value: last) : nil
    }
}
