/// A whole MessagePack object as a value, for messages that are not on a hot path.
public enum MessagePackValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    case unsigned(UInt64)
    /// A negative integer; others are ``unsigned(_:)``.
    case negative(Int64)
    case float(Double)
    case text(String)
    case binary([UInt8])
    case array([MessagePackValue])
    /// Pairs in their order on the wire.
    case map([Pair])
    case extended(type: Int8, data: [UInt8])

    public struct Pair: Equatable, Sendable {
        public var key: MessagePackValue
        public var value: MessagePackValue

        public init(_ key: MessagePackValue, _ value: MessagePackValue) {
            self.key = key
            self.value = value
        }
    }
}

// MARK: - Reading

extension MessagePackValue {
    /// Decodes exactly one object.
    public static func decode(
        _ bytes: [UInt8],
        limits: MessagePackLimits = .standard
    ) throws(MessagePackError) -> MessagePackValue {
        // A byte array has no padding, so its raw bytes are all initialised.
        var reader = unsafe MessagePackReader(bytes.span.bytes, limits: limits)
        let value = try reader.readValue(depth: limits.depth)
        guard reader.isAtEnd else { throw .trailingBytes }
        return value
    }
}

extension MessagePackReader {
    /// The next object as a value.
    public mutating func readValue() throws(MessagePackError) -> MessagePackValue {
        try readValue(depth: MessagePackLimits.standard.depth)
    }

    mutating func readValue(depth: Int) throws(MessagePackError) -> MessagePackValue {
        switch try peek() {
        case .null:
            try readNull()
            return .null
        case .boolean: return .boolean(try readBoolean())
        case .integer:
            if let value = try? readUInt64() { return .unsigned(value) }
            return .negative(try readInt64())
        case .float: return .float(try readDouble())
        case .text: return .text(try readText())
        case .binary: return .binary(try readBinary())
        case .array:
            guard depth > 0 else { throw .tooDeep }
            let count = try readArrayHeader()
            var elements: [MessagePackValue] = []
            elements.reserveCapacity(min(count, 64))
            for _ in 0..<count { elements.append(try readValue(depth: depth - 1)) }
            return .array(elements)
        case .map:
            guard depth > 0 else { throw .tooDeep }
            let count = try readMapHeader()
            var pairs: [MessagePackValue.Pair] = []
            pairs.reserveCapacity(min(count, 64))
            for _ in 0..<count {
                let key = try readValue(depth: depth - 1)
                pairs.append(MessagePackValue.Pair(key, try readValue(depth: depth - 1)))
            }
            return .map(pairs)
        case .extended:
            let (type, range) = try readExtended()
            return .extended(type: type, data: copy(range))
        }
    }
}

// MARK: - Writing

extension MessagePackValue {
    /// The canonical encoding.
    public var encoded: [UInt8] {
        var writer = MessagePackWriter()
        writer.write(self)
        return writer.bytes
    }

    /// A map with text keys in the given order.
    public static func fields(_ fields: KeyValuePairs<String, MessagePackValue>) -> MessagePackValue {
        .map(fields.map { Pair(.text($0.key), $0.value) })
    }
}

extension MessagePackWriter {
    public mutating func write(_ value: MessagePackValue) {
        switch value {
        case .null: writeNull()
        case .boolean(let value): write(value)
        case .unsigned(let value): write(value)
        case .negative(let value): write(value)
        case .float(let value): write(value)
        case .text(let value): write(value)
        case .binary(let value): write(binary: value)
        case .array(let elements):
            writeArrayHeader(count: elements.count)
            for element in elements { write(element) }
        case .map(let pairs):
            writeMapHeader(count: pairs.count)
            for pair in pairs {
                write(pair.key)
                write(pair.value)
            }
        case .extended(let type, let data): writeExtended(type: type, data: data)
        }
    }
}

// MARK: - Looking inside

extension MessagePackValue {
    /// The value of a text key in a map; `nil` when this is no map or has no such key.
    public subscript(key: String) -> MessagePackValue? {
        guard case .map(let pairs) = self else { return nil }
        return pairs.first { $0.key == .text(key) }?.value
    }

    public var text: String? {
        guard case .text(let value) = self else { return nil }
        return value
    }

    /// The bytes of a binary, or of a text, which older writers use for bytes.
    public var bytes: [UInt8]? {
        switch self {
        case .binary(let value): value
        case .text(let value): Array(value.utf8)
        default: nil
        }
    }

    public var unsigned: UInt64? {
        guard case .unsigned(let value) = self else { return nil }
        return value
    }

    public var signed: Int64? {
        switch self {
        case .unsigned(let value): Int64(exactly: value)
        case .negative(let value): value
        default: nil
        }
    }

    public var boolean: Bool? {
        guard case .boolean(let value) = self else { return nil }
        return value
    }

    public var array: [MessagePackValue]? {
        guard case .array(let value) = self else { return nil }
        return value
    }

    public var map: [Pair]? {
        guard case .map(let value) = self else { return nil }
        return value
    }
}
