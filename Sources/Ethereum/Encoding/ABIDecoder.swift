/// Why bytes are no encoding of the expected types.
public enum ABIError: Error, Hashable, Sendable {
    case truncated
    /// A number outside of its type, a boolean that is neither, an address or padding with bytes where zeros belong.
    case invalidValue
    /// An offset or a count beyond the bytes, or content that is used twice.
    case invalidOffset
    /// A text that starts with another selector or topic than the expected one.
    case otherSignature
}

extension ABIValue {
    /// Decodes a sequence of arguments or results.
    ///
    /// Bytes behind the last value are allowed, as contracts ignore them too. Values never use more words than there are,
    /// so that overlapping offsets cannot make few bytes into much memory.
    public static func decode(_ bytes: [UInt8], as types: [ABIType]) throws(ABIError) -> [ABIValue] {
        var decoder = ABIDecoder(wordsLeft: bytes.count / Word.byteCount)
        return try decoder.sequence(types, in: bytes.span, base: 0)
    }
}

private struct ABIDecoder {
    /// A valid encoding reads each word once.
    var wordsLeft: Int

    mutating func sequence(_ types: [ABIType], in bytes: Span<UInt8>, base: Int) throws(ABIError) -> [ABIValue] {
        var values: [ABIValue] = []
        var offset = base
        for type in types {
            values.append(try value(type, in: bytes, base: base, offset: offset))
            offset += type.headWords * Word.byteCount
        }
        return values
    }

    private mutating func value(
        _ type: ABIType,
        in bytes: Span<UInt8>,
        base: Int,
        offset: Int
    ) throws(ABIError) -> ABIValue {
        guard type.isDynamic else { return try content(type, in: bytes, at: offset) }
        guard let distance = try word(in: bytes, at: offset).integer, distance <= UInt64(bytes.count - base) else {
            throw .invalidOffset
        }
        return try content(type, in: bytes, at: base + Int(distance))
    }

    private mutating func content(_ type: ABIType, in bytes: Span<UInt8>, at offset: Int) throws(ABIError) -> ABIValue {
        switch type {
        case .unsigned, .signed, .boolean, .address, .fixedBytes:
            let word = try word(in: bytes, at: offset)
            guard type.accepts(word) else { throw .invalidValue }
            return .word(word)
        case .bytes, .string:
            return .bytes(try dynamicBytes(in: bytes, at: offset))
        case .array(let element):
            guard let count = try word(in: bytes, at: offset).integer, count <= UInt64(wordsLeft) else {
                throw .invalidOffset
            }
            return .array(try elements(element, count: Int(count), in: bytes, at: offset + Word.byteCount))
        case .fixedArray(let element, let count):
            return .tuple(try elements(element, count: count, in: bytes, at: offset))
        case .tuple(let members):
            return .tuple(try sequence(members, in: bytes, base: offset))
        }
    }

    private mutating func elements(
        _ type: ABIType,
        count: Int,
        in bytes: Span<UInt8>,
        at base: Int
    ) throws(ABIError) -> [ABIValue] {
        var values: [ABIValue] = []
        let stride = type.headWords * Word.byteCount
        for index in 0..<count {
            values.append(try value(type, in: bytes, base: base, offset: base + index * stride))
        }
        return values
    }

    private mutating func dynamicBytes(in bytes: Span<UInt8>, at offset: Int) throws(ABIError) -> [UInt8] {
        let start = offset + Word.byteCount
        guard let length = try word(in: bytes, at: offset).integer, length <= UInt64(bytes.count - start) else {
            throw .invalidOffset
        }
        let end = start + Int(length)
        let words = (Int(length) + Word.byteCount - 1) / Word.byteCount
        let paddedEnd = start + words * Word.byteCount
        guard paddedEnd <= bytes.count, words <= wordsLeft else { throw .truncated }
        wordsLeft -= words
        for index in end..<paddedEnd where bytes[index] != 0 { throw .invalidValue }
        return bytes.array(start..<end)
    }

    private mutating func word(in bytes: Span<UInt8>, at offset: Int) throws(ABIError) -> Word {
        guard offset + Word.byteCount <= bytes.count else { throw .truncated }
        guard wordsLeft > 0 else { throw .invalidOffset }
        wordsLeft -= 1
        return Word(in: bytes, at: offset)
    }
}

extension ABIType {
    /// Whether a word is a value of this elementary type.
    func accepts(_ word: Word) -> Bool {
        let bytes = word.bytes
        switch self {
        case .unsigned(let bits):
            return bytes.dropLast(bits / 8).allSatisfy { $0 == 0 }
        case .signed(let bits):
            let sign: UInt8 = bytes[Word.byteCount - bits / 8] >= 0x80 ? 0xFF : 0
            return bytes.dropLast(bits / 8).allSatisfy { $0 == sign }
        case .boolean: return word == .zero || word == Word(1)
        case .address: return word.address != nil
        case .fixedBytes(let count): return bytes.dropFirst(count).allSatisfy { $0 == 0 }
        case .bytes, .string, .array, .fixedArray, .tuple: return false
        }
    }
}
