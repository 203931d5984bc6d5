package import Keys
import MessagePack

/// What nodes of a local network tell each other by multicast, to be found without an address to start from.
///
/// Source: DHT protocol, "Local discovery".
package enum DiscoveryMessage: Equatable, Sendable {
    /// Asks who is there.
    case query
    /// Says that a node of the DHT is at the sender's address.
    case announcement(Announcement)

    package struct Announcement: Hashable, Sendable {
        package var id: InfoHash
        /// The UDP port of the node, never 0.
        package var port: UInt16
        package var network: UInt32

        package init(id: InfoHash, port: UInt16, network: UInt32) {
            self.id = id
            self.port = port
            self.network = network
        }
    }

    /// Bytes that are read at most; announcements of many services share one message.
    package static let sizeLimit = 8192

    /// Reads a message; services other than the DHT are skipped.
    ///
    /// - Throws: `WireError.missing` when no node of the DHT is announced.
    package init(decoding bytes: RawSpan) throws(WireError) {
        guard bytes.byteCount <= Self.sizeLimit else { throw .tooLarge("discovery of \(bytes.byteCount) bytes") }
        var reader = MessagePackReader(bytes)
        let kind = try reader.object { (reader) throws(MessagePackError) in try reader.peek() }
        if kind == .text {
            let text = try reader.object { (reader) throws(MessagePackError) in try reader.readTextRange() }
            guard reader.text(at: text, equals: "q") else { throw .invalid("question") }
            self = .query
        } else {
            var announcement: Announcement?
            try reader.readEntries { (reader, key) throws(WireError) in
                if reader.text(at: key, equals: "dht") {
                    announcement = try Announcement(reading: &reader)
                } else {
                    try reader.skipObject()
                }
            }
            guard let announcement else { throw .missing("dht") }
            self = .announcement(announcement)
        }
        guard reader.isAtEnd else { throw .malformed(.trailingBytes) }
    }

    package var encoded: [UInt8] {
        var writer = MessagePackWriter()
        switch self {
        case .query:
            writer.write("q")
        case .announcement(let announcement):
            writer.writeMapHeader(count: 1)
            writer.write("dht")
            writer.writeArrayHeader(count: 3)
            writer.write(announcement.id)
            writer.write(announcement.port)
            writer.write(announcement.network)
        }
        return writer.bytes
    }
}

extension DiscoveryMessage.Announcement {
    fileprivate init(reading reader: inout MessagePackReader) throws(WireError) {
        let count = try reader.arrayHeader()
        guard count >= 3 else { throw .invalid("announcement of \(count) fields") }
        id = try reader.readInfoHash()
        guard !id.isZero else { throw .invalid("id") }
        guard let port = UInt16(exactly: try reader.number()), port > 0 else { throw .invalid("port") }
        self.port = port
        guard let network = UInt32(exactly: try reader.number()) else { throw .invalid("network") }
        self.network = network
        for _ in 3..<count { try reader.skipObject() }
    }
}
