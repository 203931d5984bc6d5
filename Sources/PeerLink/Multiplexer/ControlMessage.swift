import MessagePack

/// An object on the control or the protocol channel; both are accepted on either.
///
/// Source: peer connections protocol, "Control channel (0)", "Protocol channel (65535)".
package enum ControlMessage: Hashable, Sendable {
    case request(name: String, channel: UInt16)
    case accept(name: String, channel: UInt16)
    case decline(name: String, channel: UInt16)
    case version(UInt64)
    case beaconRequest
    case beaconReply

    package func encode() -> [UInt8] {
        var writer = MessagePackWriter()
        switch self {
        case .request(let name, let channel): writer.writeControl(name, channel, state: 0)
        case .accept(let name, let channel): writer.writeControl(name, channel, state: 1)
        case .decline(let name, let channel): writer.writeControl(name, channel, state: 2)
        case .version(let version):
            writer.writeMapHeader(count: 1)
            writer.write("v")
            writer.write(version)
        case .beaconRequest, .beaconReply:
            writer.writeMapHeader(count: 1)
            writer.write("p")
            writer.write(self == .beaconRequest)
        }
        return writer.bytes
    }

    /// The messages in the data of one control message, up to the first byte that is not MessagePack.
    ///
    /// - Returns: what was understood, and how many objects or remainders were not.
    package static func decode(_ data: [UInt8]) -> (messages: [ControlMessage], odd: Int) {
        let limits = MessagePackLimits(depth: 8, items: 4_096)
        var reader = unsafe MessagePackReader(data.span.bytes, limits: limits)
        var messages: [ControlMessage] = []
        var odd = 0
        while !reader.isAtEnd {
            guard let value = try? reader.readValue() else { return (messages, odd + 1) }
            let understood = read(value)
            messages += understood
            if understood.isEmpty { odd += 1 }
        }
        return (messages, odd)
    }

    private static func read(_ value: MessagePackValue) -> [ControlMessage] {
        if let pairs = value.map {
            return pairs.compactMap { pair in
                switch (pair.key.text, pair.value) {
                case ("v", .unsigned(let version)): .version(version)
                case ("p", .boolean(let isRequest)): isRequest ? .beaconRequest : .beaconReply
                default: nil
                }
            }
        }
        guard let parts = value.array, parts.count == 3, let name = parts[0].text else { return [] }
        guard let channel = parts[1].unsigned.flatMap(UInt16.init(exactly:)) else { return [] }
        switch parts[2].unsigned {
        case 0: return [.request(name: name, channel: channel)]
        case 1: return [.accept(name: name, channel: channel)]
        default: return [.decline(name: name, channel: channel)]
        }
    }
}

extension MessagePackWriter {
    fileprivate mutating func writeControl(_ name: String, _ channel: UInt16, state: UInt64) {
        writeArrayHeader(count: 3)
        write(name)
        write(UInt64(channel))
        write(state)
    }
}
