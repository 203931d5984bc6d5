/// Base64 with the standard alphabet and padding (RFC 4648 section 4).
package enum Base64 {
    private static let alphabet: [UInt8] = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    /// The value of each ASCII character, or a mark for white space, padding and everything else.
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: invalid, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        for character in " \t\r\n".utf8 { table[Int(character)] = space }
        table[0x3D] = padding
        return table
    }()

    private static let invalid: UInt8 = 0xFF
    private static let space: UInt8 = 0xFE
    private static let padding: UInt8 = 0xFD

    package static func encode(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: characters(Array(bytes)), as: UTF8.self)
    }

    /// The text as ASCII, with a line feed after each so many characters and none at the end.
    ///
    /// On the way of every answer of a name server, hence without closures, strings and generics.
    ///
    /// - Parameters:
    ///   - bytes: What is encoded.
    ///   - lineLength: A multiple of four.
    /// - Returns: The characters.
    package static func characters(_ bytes: [UInt8], lineLength: Int = .max) -> [UInt8] {
        let groups = (bytes.count + 2) / 3
        let count = groups * 4
        let breaks = lineLength == .max ? 0 : max(0, (count - 1) / lineLength)
        let (table, source) = (alphabet.span, bytes.span)
        return unsafe [UInt8](unsafeUninitializedCapacity: count + breaks) { buffer, written in
            var (place, column, index) = (0, 0, 0)
            while index < source.count {
                if column == lineLength {
                    unsafe buffer[place] = 0x0A
                    place += 1
                    column = 0
                }
                let left = source.count - index
                let second = left > 1 ? UInt32(source[index + 1]) : 0
                let third = left > 2 ? UInt32(source[index + 2]) : 0
                let group = UInt32(source[index]) << 16 | second << 8 | third
                // The buffer holds four characters for each group and the breaks, so every place is inside of it.
                unsafe buffer[place] = table[Int(group >> 18)]
                unsafe buffer[place + 1] = table[Int(group >> 12 & 63)]
                unsafe buffer[place + 2] = left > 1 ? table[Int(group >> 6 & 63)] : 0x3D
                unsafe buffer[place + 3] = left > 2 ? table[Int(group & 63)] : 0x3D
                place += 4
                column += 4
                index += 3
            }
            written = place
        }
    }

    /// The bytes of a text; white space is skipped and missing padding accepted, anything else gives `nil`.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var pending: UInt32 = 0
        var digits = 0
        var paddings = 0
        for character in text {
            let value = values[Int(character)]
            switch value {
            case space: continue
            case padding: paddings += 1
            case 0..<64:
                guard paddings == 0 else { return nil }
                pending = pending << 6 | UInt32(value)
                digits += 1
                if digits == 4 {
                    bytes.append(UInt8(truncatingIfNeeded: pending >> 16))
                    bytes.append(UInt8(truncatingIfNeeded: pending >> 8))
                    bytes.append(UInt8(truncatingIfNeeded: pending))
                    (pending, digits) = (0, 0)
                }
            default: return nil
            }
        }
        switch digits {
        case 0: return paddings == 0 ? bytes : nil
        case 2 where paddings == 0 || paddings == 2:
            bytes.append(UInt8(truncatingIfNeeded: pending >> 4))
        case 3 where paddings <= 1:
            bytes.append(UInt8(truncatingIfNeeded: pending >> 10))
            bytes.append(UInt8(truncatingIfNeeded: pending >> 2))
        default: return nil
        }
        return bytes
    }

    package static func decode(_ text: String) -> [UInt8]? {
        decode(text.utf8)
    }
}
