import Runtime

@testable import DHT

/// What happens in a simulated world and when: the earliest first, what is at the same time in the order of its insertion.
///
/// A heap with four children to an entry, since a world of thousands of nodes has tens of thousands of entries.
struct EventQueue {
    enum Event: Equatable {
        /// A node wanted to be woken.
        case wake(Int)
        /// A datagram arrives, which is kept under a number.
        case arrival(datagram: Int)
    }

    private struct Entry {
        let time: Int64
        let order: UInt64
        /// A node, or the complement of the number of a datagram.
        let subject: Int

        func isBefore(_ other: Entry) -> Bool {
            time != other.time ? time < other.time : order < other.order
        }
    }

    private var heap: [Entry] = []
    private var inserted: UInt64 = 0

    var next: Instant? { heap.first.map { Instant(nanoseconds: $0.time) } }

    mutating func insert(_ event: Event, at time: Instant) {
        let subject =
            switch event {
            case .wake(let node): node
            case .arrival(let datagram): ~datagram
            }
        let entry = Entry(time: time.nanoseconds, order: inserted, subject: subject)
        inserted += 1
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 4
            guard entry.isBefore(heap[parent]) else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = entry
    }

    mutating func popFirst() -> Event? {
        guard let first = heap.first, let moved = heap.popLast() else { return nil }
        if !heap.isEmpty { sink(moved) }
        return first.subject >= 0 ? .wake(first.subject) : .arrival(datagram: ~first.subject)
    }

    /// Puts an entry into the place of the first one, and then where it belongs.
    private mutating func sink(_ entry: Entry) {
        var parent = 0
        while true {
            let children = 4 * parent + 1
            guard children < heap.count else { break }
            var least = children
            for child in children + 1..<max(children + 1, min(children + 4, heap.count))
            where heap[child].isBefore(heap[least]) {
                least = child
            }
            guard heap[least].isBefore(entry) else { break }
            heap[parent] = heap[least]
            parent = least
        }
        heap[parent] = entry
    }
}

/// The datagrams that are under way, in pieces of memory that are used again.
struct DatagramPool {
    struct Datagram {
        var bytes: [UInt8] = []
        var sender = 0
        var receiver = 0
        var family = Endpoint.Family.ipv4
    }

    private var datagrams: [Datagram] = []
    private var free: [Int] = []

    mutating func insert(
        _ bytes: ArraySlice<UInt8>,
        _ family: Endpoint.Family,
        from sender: Int,
        to receiver: Int
    ) -> Int {
        let number: Int
        if let unused = free.popLast() {
            number = unused
        } else {
            number = datagrams.count
            datagrams.append(Datagram())
        }
        datagrams[number].bytes.removeAll(keepingCapacity: true)
        datagrams[number].bytes.append(contentsOf: bytes)
        datagrams[number].sender = sender
        datagrams[number].receiver = receiver
        datagrams[number].family = family
        return number
    }

    subscript(number: Int) -> Datagram { datagrams[number] }

    mutating func remove(_ number: Int) {
        free.append(number)
    }
}

/// A fingerprint of everything that was noted, in its order.
struct EventLog: Equatable {
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func note(_ word: UInt64) {
        let product = (hash ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        hash = product.high ^ product.low &+ word
    }

    mutating func note(_ bytes: [UInt8]) {
        note(UInt64(bytes.count))
        let span = bytes.span.bytes
        let words = bytes.count / 8
        for index in 0..<words {
            note(span.unsafeLoadUnaligned(fromByteOffset: 8 * index, as: UInt64.self).littleEndian)
        }
        var rest: UInt64 = 0
        for byte in bytes[(8 * words)...] { rest = rest << 8 | UInt64(byte) }
        note(rest)
    }
}
