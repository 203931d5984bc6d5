/// Lower-case hexadecimal text, the form in which every identifier is shown.
public enum Hexadecimal {
    private static let digits: [UInt8] = Array("0123456789abcdef".utf8)

    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        encode(Array(bytes))
    }

    // Not generic, since generic code of another module costs an answer of a name server a tenth of its time.
    public static func encode(_ bytes: [UInt8]) -> String {
        let (table, source) = (digits.span, bytes.span)
        return unsafe String(unsafeUninitializedCapacity: 2 * source.count) { buffer in
            // The buffer has two places for each byte.
            for index in source.indices {
                unsafe buffer[2 * index] = table[Int(source[index] >> 4)]
                unsafe buffer[2 * index + 1] = table[Int(source[index] & 15)]
            }
            return 2 * source.count
        }
    }

    /// The bytes of a text of hexadecimal digits; `nil` for an odd count or another character.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        decode(characters: Array(text.utf8))
    }

    // Not generic, for the same reason.
    private static func decode(characters: [UInt8]) -> [UInt8]? {
        guard characters.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 2)
        for index in stride(from: 0, to: characters.count, by: 2) {
            guard let high = value(of: characters[index]), let low = value(of: characters[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x37
        case 0x61...0x66: character - 0x57
        default: nil
        }
    }

    /// A text without the `0x` or `0X` that numbers of chains are written with.
    public static func withoutPrefix<Text: StringProtocol>(_ text: Text) -> Text.SubSequence {
        text.utf8.starts(with: [0x30, 0x78]) || text.utf8.starts(with: [0x30, 0x58]) ? text.dropFirst(2) : text[...]
    }
}
