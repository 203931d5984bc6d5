/// A heap of keys ordered by deadline: the timers of a core, as data.
///
/// Entries are never removed early; a core checks, when a key comes due, whether its state still wants it.
public struct DeadlineQueue<Key: Sendable>: Sendable {
    private struct Entry: Sendable {
        var deadline: Instant
        /// Keeps equal deadlines in insertion order, so that runs repeat.
        var order: UInt64
        var key: Key

        func isBefore(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : order < other.order
        }
    }

    private var heap: [Entry] = []
    private var inserted: UInt64 = 0

    public init() {}

    public var count: Int { heap.count }
    public var next: Instant? { heap.first?.deadline }

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
