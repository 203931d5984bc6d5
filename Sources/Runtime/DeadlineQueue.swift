/// A heap of keys ordered by deadline: the timers of a core, as data.
///
/// Entries are never removed early; a core checks, when a key comes due, whether its state still wants it.
public struct DeadlineQueue<Key: Sendable>: Sendable {
    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline var deadline: Instant
        /// Keeps equal deadlines in insertion order, so that runs repeat.
        @usableFromInline var order: UInt64
        @usableFromInline var key: Key

        @inlinable
        init(deadline: Instant, order: UInt64, key: Key) {
            self.deadline = deadline
            self.order = order
            self.key = key
        }

        @inlinable
        func isBefore(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : order < other.order
        }
    }

    // Other modules make their own versions of this code, since generic code that is shared is several times slower.

    @usableFromInline var heap: [Entry] = []
    @usableFromInline var inserted: UInt64 = 0

    @inlinable
    public init() {}

    @inlinable public var count: Int { heap.count }
    @inlinable public var next: Instant? { heap.first?.deadline }

    @inlinable
    public mutating func insert(_ key: Key, at deadline: Instant) {
        heap.append(Entry(deadline: deadline, order: inserted, key: key))
        inserted &+= 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the earliest key that is due.
    @inlinable
    public mutating func popDue(at now: Instant) -> Key? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.key }
        heap[0] = last
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < heap.count else { break }
            let right = left + 1
            let child = right < heap.count && heap[right].isBefore(heap[left]) ? right : left
            guard heap[child].isBefore(heap[parent]) else { break }
            heap.swapAt(child, parent)
            parent = child
        }
        return first.key
    }
}
