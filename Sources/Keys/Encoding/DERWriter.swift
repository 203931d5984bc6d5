/// Writes DER elements.
enum DERWriter {
    static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        var bytes = [tag]
        switch content.count {
        case 0..<0x80: bytes.append(UInt8(content.count))
        case 0x80...0xFF: bytes += [0x81, UInt8(content.count)]
        case 0x100...0xFFFF: bytes += [0x82, UInt8(content.count >> 8), UInt8(content.count & 0xFF)]
        default:
            bytes.append(0x84)
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: content.count >> shift)) }
        }
        return bytes + content
    }

    static func sequence(_ parts: [UInt8]...) -> [UInt8] {
        var content: [UInt8] = []
        for part in parts { content += part }
        return element(DERReader.Tag.sequence, content)
    }

    static func objectIdentifier(_ content: [UInt8]) -> [UInt8] {
        element(DERReader.Tag.objectIdentifier, content)
    }

    static func printableString(_ text: String) -> [UInt8] {
        element(0x13, Array(text.utf8))
    }

    /// A bit string without unused bits.
    static func bitString(_ content: [UInt8]) -> [UInt8] {
        element(DERReader.Tag.bitString, [0] + content)
    }

    /// UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5).
    static func time(_ time: CivilTime) -> [UInt8] {
        var digits: [UInt8] = []
        func append(_ value: Int, width: Int) {
            var divisor = 1
            for _ in 1..<width { divisor *= 10 }
            while divisor > 0 {
                digits.append(0x30 + UInt8(value / divisor % 10))
                divisor /= 10
            }
        }
        let isShort = (1950..<2050).contains(time.year)
        if isShort { append(time.year % 100, width: 2) } else { append(time.year, width: 4) }
        for field in [time.month, time.day, time.hour, time.minute, time.second] { append(field, width: 2) }
        digits.append(0x5A)
        return element(isShort ? DERReader.Tag.utcTime : DERReader.Tag.generalizedTime, digits)
    }
}
