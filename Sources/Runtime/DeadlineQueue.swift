/// A heap of keys ordered by deadline: the timers of a core, as data.
///
/// Entries are never removed early; a core checks, when a key comes due, whether its state still wants it.
public struct DeadlineQueue<Key: Sendable>: Sendable {
    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline let deadline: Instant
        /// Keeps equal deadlines in insertion order, so that runs repeat.
        @usableFromInline let order: UInt64
        @usableFromInline let key: Key

        @inlinable
        init(deadline: Instant, order: UInt64, key: Key) {
            self.deadline = deadline
            self.order = order
            self.key = key
        }

        @inlinable
        func isBefore(_ other: Entry) -> Bool {
            deadline.nanoseconds != other.deadline.nanoseconds
                ? deadline.nanoseconds < other.deadline.nanoseconds : order < other.order
        }
    }

    // Inlinable, since generic code of another module costs a core a tenth of its time.

    @usableFromInline var heap: [Entry] = []
    @usableFromInline var inserted: UInt64 = 0

    @inlinable
    public init() {}

    @inlinable public var count: Int { heap.count }
    @inlinable public var next: Instant? { heap.first?.deadline }
    /// The key of the next deadline.
    @inlinable public var nextKey: Key? { heap.first?.key }

    @inlinable
    public mutating func insert(_ key: Key, at deadline: Instant) {
        let entry = Entry(deadline: deadline, order: inserted, key: key)
        inserted &+= 1
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry.isBefore(heap[parent]) else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = entry
    }

    /// Takes the earliest key that is due.
    @inlinable
    public mutating func popDue(at now: Instant) -> Key? {
        guard let first = heap.first, first.deadline.nanoseconds <= now.nanoseconds else { return nil }
        removeNext()
        return first.key
    }

    /// Drops the key of the next deadline.
    @inlinable
    public mutating func removeNext() {
        guard let moved = heap.popLast(), !heap.isEmpty else { return }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(moved) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = moved
    }
}
