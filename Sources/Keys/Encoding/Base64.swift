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

    /// The two characters of each twelve bits, the first one in the lower byte.
    private static let pairs: [UInt16] = (0..<4_096).map { bits in
        UInt16(alphabet[bits >> 6]) | UInt16(alphabet[bits & 63]) << 8
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
        let count = (bytes.count + 2) / 3 * 4
        let breaks = lineLength == .max ? 0 : max(0, (count - 1) / lineLength)
        let bytesInLine = lineLength == .max ? bytes.count : lineLength / 4 * 3
        return unsafe [UInt8](unsafeUninitializedCapacity: count + breaks) { buffer, written in
            let text = UnsafeMutableRawBufferPointer(buffer)
            var (place, start) = (0, 0)
            while start < bytes.count {
                if start > 0 {
                    unsafe text[place] = 0x0A
                    place += 1
                }
                let end = min(start + bytesInLine, bytes.count)
                unsafe write(bytes.span.extracting(start..<end), to: text, at: &place)
                start = end
            }
            written = place
        }
    }

    /// Writes the characters of one line; the text has four places for each three bytes that are begun.
    @inline(__always)
    private static func write(_ bytes: Span<UInt8>, to text: UnsafeMutableRawBufferPointer, at place: inout Int) {
        let pairs = pairs.span
        var index = 0
        while index + 3 <= bytes.count {
            let group = Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
            unsafe text.storeBytes(of: pairs[group >> 12].littleEndian, toByteOffset: place, as: UInt16.self)
            unsafe text.storeBytes(of: pairs[group & 4_095].littleEndian, toByteOffset: place + 2, as: UInt16.self)
            index += 3
            place += 4
        }
        guard index < bytes.count else { return }
        let isLonger = index + 1 < bytes.count
        let group = Int(bytes[index]) << 16 | (isLonger ? Int(bytes[index + 1]) << 8 : 0)
        unsafe text.storeBytes(of: pairs[group >> 12].littleEndian, toByteOffset: place, as: UInt16.self)
        unsafe text[place + 2] = isLonger ? alphabet[group >> 6 & 63] : 0x3D
        unsafe text[place + 3] = 0x3D
        place += 4
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
