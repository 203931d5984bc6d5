/// A value of the arguments and results of contracts.
///
/// Its shape says how it is encoded: a word stands in its place, bytes and arrays behind an offset.
public enum ABIValue: Hashable, Sendable {
    /// A number, a boolean, an address or fixed bytes, as they are laid out in 32 bytes.
    case word(Word)
    /// Dynamic bytes, or the bytes of a string.
    case bytes([UInt8])
    /// An array whose count is part of the encoding.
    case array([ABIValue])
    /// A tuple or an array of a fixed count.
    case tuple([ABIValue])

    public static func integer(_ number: UInt64) -> ABIValue { .word(Word(number)) }
    public static func integer(wide number: UInt128) -> ABIValue { .word(Word(wide: number)) }
    public static func address(_ address: Address) -> ABIValue { .word(Word(address)) }
    public static func boolean(_ value: Bool) -> ABIValue { .word(Word(value ? 1 : 0)) }
    public static func string(_ text: String) -> ABIValue { .bytes(Array(text.utf8)) }

    /// The encoding of a sequence of arguments or results.
    public static func encode(_ values: [ABIValue]) -> [UInt8] {
        var head: [UInt8] = []
        var tail: [UInt8] = []
        let headCount = values.reduce(0) { $0 + $1.headCount }
        for value in values {
            if value.isDynamic {
                head += Word(UInt64(headCount + tail.count)).bytes
                tail += value.content
            } else {
                head += value.content
            }
        }
        return head + tail
    }

    private var isDynamic: Bool {
        switch self {
        case .word: false
        case .bytes, .array: true
        case .tuple(let members): members.contains(where: \.isDynamic)
        }
    }

    private var headCount: Int {
        guard case .tuple(let members) = self, !isDynamic else { return Word.byteCount }
        return members.reduce(0) { $0 + $1.headCount }
    }

    private var content: [UInt8] {
        switch self {
        case .word(let word): word.bytes
        case .bytes(let bytes):
            Word(UInt64(bytes.count)).bytes + bytes
                + Array(repeating: 0, count: (Word.byteCount - bytes.count % Word.byteCount) % Word.byteCount)
        case .array(let elements): Word(UInt64(elements.count)).bytes + Self.encode(elements)
        case .tuple(let members): Self.encode(members)
        }
    }
}

extension ABIValue {
    public var word: Word? {
        guard case .word(let word) = self else { return nil }
        return word
    }

    public var integer: UInt64? { word?.integer }
    public var wideInteger: UInt128? { word?.wideInteger }
    public var address: Address? { word?.address }
    public var boolean: Bool? { integer.map { $0 != 0 } }

    public var bytes: [UInt8]? {
        guard case .bytes(let bytes) = self else { return nil }
        return bytes
    }

    /// The elements of an array or the members of a tuple.
    public var elements: [ABIValue]? {
        switch self {
        case .array(let elements), .tuple(let elements): elements
        case .word, .bytes: nil
        }
    }
}
