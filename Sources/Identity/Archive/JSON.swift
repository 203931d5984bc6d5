/// A JSON value (RFC 8259), read and written as account archives need it.
///
/// Numbers keep their text, so that members nobody knows survive byte for byte. The writer is compact, orders members by
/// name and escapes everything beyond ASCII, as the daemon does.
enum JSON: Sendable, Equatable {
    case null
    case boolean(Bool)
    /// The digits as they stand.
    case number(String)
    case text(String)
    case array([JSON])
    case object([String: JSON])

    struct Malformed: Error {}

    static let maximumDepth = 64

    var text: String? {
        guard case .text(let value) = self else { return nil }
        return value
    }

    var boolean: Bool? {
        guard case .boolean(let value) = self else { return nil }
        return value
    }

    var integer: Int64? {
        guard case .number(let digits) = self else { return nil }
        return Int64(digits)
    }

    var object: [String: JSON]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    static func integer(_ value: Int64) -> JSON {
        .number(String(value))
    }
}

// MARK: - Writing

extension JSON {
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes += "null".utf8
        case .boolean(let value): bytes += (value ? "true" : "false").utf8
        case .number(let digits): bytes += digits.utf8
        case .text(let value): Self.write(value, to: &bytes)
        case .array(let elements):
            bytes.append(0x5B)
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(0x2C) }
                element.write(to: &bytes)
            }
            bytes.append(0x5D)
        case .object(let members):
            bytes.append(0x7B)
            let ordered = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            for (index, member) in ordered.enumerated() {
                if index > 0 { bytes.append(0x2C) }
                Self.write(member.key, to: &bytes)
                bytes.append(0x3A)
                member.value.write(to: &bytes)
            }
            bytes.append(0x7D)
        }
    }

    private static func write(_ text: String, to bytes: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(0x22)
        for unit in text.utf16 {
            switch unit {
            case 0x22: bytes += [0x5C, 0x22]
            case 0x5C: bytes += [0x5C, 0x5C]
            case 0x08: bytes += [0x5C, 0x62]
            case 0x09: bytes += [0x5C, 0x74]
            case 0x0A: bytes += [0x5C, 0x6E]
            case 0x0C: bytes += [0x5C, 0x66]
            case 0x0D: bytes += [0x5C, 0x72]
            case 0x20..<0x80: bytes.append(UInt8(unit))
            default:
                bytes += [0x5C, 0x75]
                for shift in [12, 8, 4, 0] as [UInt16] { bytes.append(digits[Int(unit >> shift & 15)]) }
            }
        }
        bytes.append(0x22)
    }
}

// MARK: - Reading

extension JSON {
    /// Decodes exactly one value.
    static func decode(_ bytes: [UInt8]) throws(Malformed) -> JSON {
        var reader = JSONReader(bytes)
        let value = try reader.readValue(depth: maximumDepth)
        reader.skipSpace()
        guard reader.isAtEnd else { throw Malformed() }
        return value
    }
}

/// A total reader of JSON text.
private struct JSONReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { offset >= bytes.count }
    private var next: UInt8? { isAtEnd ? nil : bytes[offset] }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { offset += 1 }
    }

    mutating func readValue(depth: Int) throws(JSON.Malformed) -> JSON {
        skipSpace()
        switch next {
        case 0x7B: return try readObject(depth: depth)
        case 0x5B: return try readArray(depth: depth)
        case 0x22: return .text(try readText())
        case 0x74: return try read("true", as: .boolean(true))
        case 0x66: return try read("false", as: .boolean(false))
        case 0x6E: return try read("null", as: .null)
        default: return try readNumber()
        }
    }

    private mutating func read(_ word: StaticString, as value: JSON) throws(JSON.Malformed) -> JSON {
        let wanted = Array(word.description.utf8)
        guard bytes.count - offset >= wanted.count, bytes[offset..<offset + wanted.count].elementsEqual(wanted) else {
            throw JSON.Malformed()
        }
        offset += wanted.count
        return value
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard next == byte else { return false }
        offset += 1
        return true
    }

    private mutating func readObject(depth: Int) throws(JSON.Malformed) -> JSON {
        guard depth > 0, take(0x7B) else { throw JSON.Malformed() }
        var members: [String: JSON] = [:]
        if take(0x7D) { return .object(members) }
        repeat {
            skipSpace()
            guard next == 0x22 else { throw JSON.Malformed() }
            let name = try readText()
            guard take(0x3A) else { throw JSON.Malformed() }
            members[name] = try readValue(depth: depth - 1)
        } while take(0x2C)
        guard take(0x7D) else { throw JSON.Malformed() }
        return .object(members)
    }

    private mutating func readArray(depth: Int) throws(JSON.Malformed) -> JSON {
        guard depth > 0, take(0x5B) else { throw JSON.Malformed() }
        var elements: [JSON] = []
        if take(0x5D) { return .array(elements) }
        repeat { elements.append(try readValue(depth: depth - 1)) } while take(0x2C)
        guard take(0x5D) else { throw JSON.Malformed() }
        return .array(elements)
    }

    private mutating func readNumber() throws(JSON.Malformed) -> JSON {
        let start = offset
        if next == 0x2D { offset += 1 }
        let whole = readDigits()
        guard whole > 0, whole == 1 || bytes[offset - whole] != 0x30 else { throw JSON.Malformed() }
        if next == 0x2E {
            offset += 1
            guard readDigits() > 0 else { throw JSON.Malformed() }
        }
        if next == 0x65 || next == 0x45 {
            offset += 1
            if next == 0x2B || next == 0x2D { offset += 1 }
            guard readDigits() > 0 else { throw JSON.Malformed() }
        }
        return .number(String(decoding: bytes[start..<offset], as: UTF8.self))
    }

    private mutating func readDigits() -> Int {
        let start = offset
        while let byte = next, (0x30...0x39).contains(byte) { offset += 1 }
        return offset - start
    }

    /// The next character is known to be a quotation mark.
    private mutating func readText() throws(JSON.Malformed) -> String {
        offset += 1
        var text: [UInt8] = []
        while let byte = next {
            offset += 1
            switch byte {
            case 0x22: return String(decoding: text, as: UTF8.self)
            case 0x5C: text += String(try readEscape()).utf8
            case 0..<0x20: throw JSON.Malformed()
            default: text.append(byte)
            }
        }
        throw JSON.Malformed()
    }

    private mutating func readEscape() throws(JSON.Malformed) -> Unicode.Scalar {
        guard let byte = next else { throw JSON.Malformed() }
        offset += 1
        switch byte {
        case 0x22, 0x2F, 0x5C: return Unicode.Scalar(byte)
        case 0x62: return "\u{8}"
        case 0x66: return "\u{C}"
        case 0x6E: return "\n"
        case 0x72: return "\r"
        case 0x74: return "\t"
        case 0x75: break
        default: throw JSON.Malformed()
        }
        let first = try readUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // Half a character stands for none; what follows it may be a character of its own.
        guard (0xD800..<0xDC00).contains(first), next == 0x5C, offset + 1 < bytes.count, bytes[offset + 1] == 0x75
        else {
            return "\u{FFFD}"
        }
        let before = offset
        offset += 2
        let second = try readUnit()
        guard (0xDC00..<0xE000).contains(second) else {
            offset = before
            return "\u{FFFD}"
        }
        return Unicode.Scalar(0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
    }

    private mutating func readUnit() throws(JSON.Malformed) -> UInt32 {
        guard bytes.count - offset >= 4 else { throw JSON.Malformed() }
        var unit: UInt32 = 0
        for byte in bytes[offset..<offset + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else { throw JSON.Malformed() }
            unit = unit << 4 | UInt32(digit)
        }
        offset += 4
        return unit
    }
}
