package import MessagePack

/// What the decoders of the wire accept at most.
package struct WireLimits: Sendable {
    /// Bytes of one encoded value.
    package var value = 65_536 + 32
    /// Value ids in one list of expired or refreshed ones.
    package var identifiers = 16_384
    /// Filters in one query.
    package var filters = 16
    /// Rows of selected fields in one reply.
    package var rows = 16_384
    /// Values in one message.
    package var values = 4096
    /// Bytes of all values of one message.
    package var message = 8 << 20
    package var messagePack = MessagePackLimits(depth: 8, items: 65_536)

    package static let standard = WireLimits()

    package init() {}
}

/// Numbers that both ends of the wire agree on.
package enum WireConstants {
    /// Address families as Linux counts them; they go over the wire.
    package static let familyIPv4: UInt64 = 2
    package static let familyIPv6: UInt64 = 10
    /// Bytes of a value in one part.
    package static let partSize = 1280
    /// From this many bytes or values on they leave the message and follow in parts.
    package static let inlineBytes = 600
    package static let inlineCount = 50
    package static let nodesPerList = 8
    package static let longestToken = 64
    package static let listenVersion: UInt64 = 1
}
