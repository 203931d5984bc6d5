import Runtime

@testable import DHT

/// What happens in a simulated world.
enum WorldEvent: Equatable {
    /// A node wanted to be woken.
    case wake(Int)
    /// A datagram arrives, which is kept under a number.
    case arrival(datagram: Int)
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
