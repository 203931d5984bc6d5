/// A byte string, or a list of values, as RLP carries them.
public enum RLPValue: Hashable, Sendable {
    case bytes([UInt8])
    case list([RLPValue])

    /// Numbers are big-endian without leading zeros, zero is empty.
    public static func integer(_ number: some UnsignedInteger & FixedWidthInteger) -> RLPValue {
        .bytes(number.minimalBytes)
    }

    public static func integer(_ number: Word) -> RLPValue { .bytes(number.minimalBytes) }
    public static func word(_ word: Word) -> RLPValue { .bytes(word.bytes) }
    public static func address(_ address: Address) -> RLPValue { .bytes(address.bytes) }

    /// The one value that bytes hold from their start to their end.
    public init(decoding bytes: [UInt8]) throws(RLPError) {
        let span = bytes.span
        let item = try RLP.item(in: span, at: 0, end: span.count)
        guard item.whole.upperBound == span.count else { throw .trailingBytes }
        self = try Self.decode(item, in: span, depth: 0)
    }

    private static func decode(_ item: RLP.Item, in bytes: Span<UInt8>, depth: Int) throws(RLPError) -> RLPValue {
        guard item.isList else { return .bytes(bytes.array(item.payload)) }
        guard depth < RLP.maximumDepth else { throw .tooDeep }
        var elements: [RLPValue] = []
        var offset = item.payload.lowerBound
        while offset < item.payload.upperBound {
            let element = try RLP.item(in: bytes, at: offset, end: item.payload.upperBound)
            elements.append(try decode(element, in: bytes, depth: depth + 1))
            offset = element.whole.upperBound
        }
        return .list(elements)
    }

    public var encoded: [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(encodedCount)
        append(to: &output)
        return output
    }

    private func append(to output: inout [UInt8]) {
        switch self {
        case .bytes(let bytes):
            if bytes.count != 1 || bytes[0] >= 0x80 {
                output += RLP.prefix(isList: false, count: bytes.count)
            }
            output += bytes
        case .list(let elements):
            output += RLP.prefix(isList: true, count: elements.reduce(0) { $0 + $1.encodedCount })
            for element in elements { element.append(to: &output) }
        }
    }

    private var encodedCount: Int {
        switch self {
        case .bytes(let bytes):
            if bytes.count == 1, bytes[0] < 0x80 { return 1 }
            return bytes.count + RLP.prefix(isList: false, count: bytes.count).count
        case .list(let elements):
            let count = elements.reduce(0) { $0 + $1.encodedCount }
            return count + RLP.prefix(isList: true, count: count).count
        }
    }
}

extension RLPValue {
    public var elements: [RLPValue] {
        get throws(RLPError) {
            guard case .list(let elements) = self else { throw .unexpectedItem }
            return elements
        }
    }

    public var bytes: [UInt8] {
        get throws(RLPError) {
            guard case .bytes(let bytes) = self else { throw .unexpectedItem }
            return bytes
        }
    }

    /// Exactly this many bytes.
    public func bytes(count: Int) throws(RLPError) -> [UInt8] {
        let bytes = try bytes
        guard bytes.count == count else { throw .unexpectedItem }
        return bytes
    }

    public func integer<T: UnsignedInteger & FixedWidthInteger>(_ type: T.Type) throws(RLPError) -> T {
        guard let number = T(minimalBytes: try bytes) else { throw .unexpectedItem }
        return number
    }

    /// A number of up to 256 bits.
    public var number: Word {
        get throws(RLPError) {
            guard let number = Word(minimalBytes: try bytes) else { throw .unexpectedItem }
            return number
        }
    }

    /// Exactly 32 bytes.
    public var word: Word {
        get throws(RLPError) {
            guard let word = Word(try bytes) else { throw .unexpectedItem }
            return word
        }
    }

    /// Exactly twenty bytes.
    public var address: Address {
        get throws(RLPError) {
            guard let address = Address(try bytes) else { throw .unexpectedItem }
            return address
        }
    }
}

extension Span<UInt8> {
    /// A copy of a part, which must lie inside.
    func array(_ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        for index in range { result.append(self[index]) }
        return result
    }
}
