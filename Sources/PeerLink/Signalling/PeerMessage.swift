public import MessagePack

/// A connection request or its answer, as it travels encrypted through the DHT.
///
/// Source: peer connections protocol, "Payload".
public struct PeerMessage: Hashable, Sendable {
    /// Names the connection on both sides; chosen by the requester from 1 to 2⁵³.
    public var id: UInt64
    /// The ICE description of the sender.
    public var description: String
    public var isAnswer: Bool
    /// Why the connection is wanted, a hint for push services; may be empty.
    public var connectionType: String

    /// The `user_type` of the DHT value.
    public static let userType = "peer_request"
    /// The largest id that peers choose.
    public static let largestID: UInt64 = 1 << 53

    public init(id: UInt64, description: String, isAnswer: Bool, connectionType: String = "") {
        self.id = id
        self.description = description
        self.isAnswer = isAnswer
        self.connectionType = connectionType
    }

    public func encode() -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: description.utf8.count + 64)
        writer.writeMapHeader(count: 4)
        writer.write("id")
        writer.write(id)
        writer.write("ice_msg")
        writer.write(description)
        writer.write("isAnswer")
        writer.write(isAnswer)
        writer.write("connType")
        writer.write(connectionType)
        return writer.bytes
    }

    /// Reads keys in any order; those that are missing have empty values, unknown ones are skipped.
    public init(_ bytes: [UInt8]) throws(PeerMessageError) {
        guard bytes.count <= PeerMessageLimits.byteCount else { throw .tooLong }
        self.init(id: 0, description: "", isAnswer: false)
        do throws(MessagePackError) {
            var reader = unsafe MessagePackReader(bytes.span.bytes, limits: MessagePackLimits(depth: 8, items: 1_024))
            for _ in 0..<(try reader.readMapHeader()) {
                let key = try reader.readText()
                switch key {
                case "id": id = try reader.readUInt64()
                case "ice_msg": description = try reader.readText()
                case "isAnswer": isAnswer = try reader.readBoolean()
                case "connType": connectionType = try reader.readText()
                default: try reader.skip()
                }
            }
        } catch {
            throw .malformed(error)
        }
    }
}

/// Why bytes are no connection request.
public enum PeerMessageError: Error, Equatable, Sendable {
    case tooLong
    case malformed(MessagePackError)
}

/// What is accepted from a peer.
public enum PeerMessageLimits {
    /// Bytes of an encoded message.
    public static let byteCount = 32_768
}
