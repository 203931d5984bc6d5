import MessagePack

/// The datagrams that a turn of the core produced, in one piece of memory that is used again for the next turn.
package struct Outbox: Sendable {
    package struct Datagram: Sendable {
        package let start: Int
        package let end: Int
        package let receiver: Endpoint
    }

    var writer = MessagePackWriter()
    package private(set) var datagrams: [Datagram] = []

    /// The bytes of all datagrams, one behind the other.
    package var bytes: [UInt8] { writer.bytes }

    package func bytes(of datagram: Datagram) -> ArraySlice<UInt8> {
        writer.bytes[datagram.start..<datagram.end]
    }

    /// The bytes of the last datagram.
    var last: [UInt8] { datagrams.last.map { Array(bytes(of: $0)) } ?? [] }

    package var isEmpty: Bool { datagrams.isEmpty }

    /// Writes one datagram.
    mutating func send(to receiver: Endpoint, _ write: (inout MessagePackWriter) -> Void) {
        let start = writer.bytes.count
        write(&writer)
        datagrams.append(Datagram(start: start, end: writer.bytes.count, receiver: receiver))
    }

    package mutating func removeAll() {
        writer.removeAll()
        datagrams.removeAll(keepingCapacity: true)
    }
}
