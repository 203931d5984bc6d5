import MessagePack
import Runtime

/// Looks up fields of a MessagePack map by name: unknown ones are ignored, missing ones have a default, those of a wrong
/// type are an error.
struct Fields {
    private let map: MessagePackValue

    init(_ bytes: [UInt8], maximumSize: Int = 65_536) throws(PayloadError) {
        guard bytes.count <= maximumSize else { throw .tooLarge }
        do throws(MessagePackError) {
            try self.init(MessagePackValue.decode(bytes))
        } catch {
            throw .malformed
        }
        guard map.map != nil else { throw .malformed }
    }

    init(_ value: MessagePackValue) {
        map = value
    }

    func text(_ name: String) throws(PayloadError) -> String {
        guard let value = map[name], value != .null else { return "" }
        guard let text = value.text else { throw .invalidField(name) }
        return text
    }

    func bytes(_ name: String) throws(PayloadError) -> [UInt8]? {
        guard let value = map[name], value != .null else { return nil }
        guard let bytes = value.bytes else { throw .invalidField(name) }
        return bytes
    }

    func boolean(_ name: String) throws(PayloadError) -> Bool {
        guard let value = map[name], value != .null else { return false }
        guard let boolean = value.boolean else { throw .invalidField(name) }
        return boolean
    }

    func unsigned(_ name: String) throws(PayloadError) -> UInt64 {
        guard let value = map[name], value != .null else { return 0 }
        guard let number = value.unsigned else { throw .invalidField(name) }
        return number
    }

    /// A time that stands in seconds under one name and, from newer peers, in milliseconds under another.
    func time(seconds: String?, milliseconds: String) throws(PayloadError) -> WallTime {
        if let value = map[milliseconds], value != .null {
            guard let number = value.signed else { throw .invalidField(milliseconds) }
            if number > 0 { return WallTime(milliseconds: number) }
        }
        guard let seconds, let value = map[seconds], value != .null else { return .never }
        guard let number = value.signed else { throw .invalidField(seconds) }
        return WallTime(seconds: max(number, 0))
    }

    /// The 40 hexadecimal digits of a conversation, or nothing.
    func conversation(_ name: String) throws(PayloadError) -> String {
        let id = try text(name)
        guard id.isEmpty || id.isConversationID else { throw .invalidField(name) }
        return id
    }
}

extension WallTime {
    /// The value of a time that is not set.
    static let never = WallTime(milliseconds: 0)
}

extension String {
    var isConversationID: Bool {
        utf8.count == 40 && utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
