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
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var pending: UInt32 = 0
        var count = 0
        for byte in bytes {
            pending = pending << 8 | UInt32(byte)
            count += 1
            if count == 3 {
                for shift in [18, 12, 6, 0] as [UInt32] { text.append(alphabet[Int(pending >> shift & 63)]) }
                (pending, count) = (0, 0)
            }
        }
        if count == 1 {
            text += [alphabet[Int(pending >> 2)], alphabet[Int(pending << 4 & 63)], 0x3D, 0x3D]
        } else if count == 2 {
            text += [
                alphabet[Int(pending >> 10)], alphabet[Int(pending >> 4 & 63)], alphabet[Int(pending << 2 & 63)], 0x3D,
            ]
        }
        return String(decoding: text, as: UTF8.self)
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
