/// A value of the JSON text of a commit message.
public enum MessageValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case list([MessageValue])
    case map([String: MessageValue])

    /// The value as clients see it; `nil` for null, lists and maps.
    public var asText: String? {
        switch self {
        case .null, .list, .map: nil
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .text(let value): value
        }
    }

    /// Reads JSON text (RFC 8259); of several members with one name the last one counts.
    public init(parsing json: some Collection<UInt8>) throws(MessageError) {
        var parser = JSONParser(Array(json))
        self = try parser.parse()
    }

    /// Compact JSON in the one form that commits have.
    ///
    /// Members are in ascending order of bytes, everything beyond ASCII as
    /// `\uXXXX`, the slash as it is. Source: conversations protocol, "Message encoding".
    public var json: String {
        var output = ""
        write(to: &output)
        return output
    }

    private func write(to output: inout String) {
        switch self {
        case .null: output += "null"
        case .boolean(let value): output += value ? "true" : "false"
        case .integer(let value): output += String(value)
        case .number(let value): output += value.isFinite ? String(value) : "null"
        case .text(let value): Self.write(value, to: &output)
        case .list(let values):
            output += "["
            for (index, value) in values.enumerated() {
                if index > 0 { output += "," }
                value.write(to: &output)
            }
            output += "]"
        case .map(let members):
            output += "{"
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            for (index, member) in sorted.enumerated() {
                if index > 0 { output += "," }
                Self.write(member.key, to: &output)
                output += ":"
                member.value.write(to: &output)
            }
            output += "}"
        }
    }

    private static func write(_ text: String, to output: inout String) {
        output += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\u{08}": output += "\\b"
            case "\u{0C}": output += "\\f"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case "\u{20}"..."\u{7F}": output.unicodeScalars.append(scalar)
            default: for unit in String(scalar).utf16 { output += escape(unit) }
            }
        }
        output += "\""
    }

    private static func escape(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}

/// Why text is not a usable commit message.
public enum MessageError: Error, Hashable, Sendable {
    /// Not JSON, at this byte.
    case malformed(at: Int)
    /// Nested deeper than ``JSONParser/depthLimit``.
    case tooDeep
}

/// A total reader of JSON over bytes.
struct JSONParser {
    static let depthLimit = 32

    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func parse() throws(MessageError) -> MessageValue {
        let value = try value(depth: 0)
        skipBlanks()
        guard offset == bytes.count else { throw .malformed(at: offset) }
        return value
    }

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard next == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(MessageError) {
        guard take(character) else { throw .malformed(at: offset) }
    }

    private mutating func value(depth: Int) throws(MessageError) -> MessageValue {
        guard depth < Self.depthLimit else { throw .tooDeep }
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return .map(try members(depth: depth))
        case UInt8(ascii: "["): return .list(try elements(depth: depth))
        case UInt8(ascii: "\""): return .text(try text())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: MessageValue) throws(MessageError) -> MessageValue {
        guard bytes[offset...].starts(with: word.utf8) else { throw .malformed(at: offset) }
        offset += word.utf8.count
        return value
    }

    private mutating func members(depth: Int) throws(MessageError) -> [String: MessageValue] {
        try expect("{")
        var members: [String: MessageValue] = [:]
        if take("}") { return members }
        repeat {
            skipBlanks()
            let name = try text()
            try expect(":")
            members[name] = try value(depth: depth + 1)
        } while take(",")
        try expect("}")
        return members
    }

    private mutating func elements(depth: Int) throws(MessageError) -> [MessageValue] {
        try expect("[")
        var values: [MessageValue] = []
        if take("]") { return values }
        repeat { values.append(try value(depth: depth + 1)) } while take(",")
        try expect("]")
        return values
    }

    private mutating func number() throws(MessageError) -> MessageValue {
        let start = offset
        if next == UInt8(ascii: "-") { offset += 1 }
        let first = offset
        try digits()
        guard bytes[first] != UInt8(ascii: "0") || offset == first + 1 else { throw .malformed(at: first) }
        var isInteger = true
        if next == UInt8(ascii: ".") {
            isInteger = false
            offset += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isInteger = false
            offset += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { offset += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text) else { throw .malformed(at: start) }
        return .number(value)
    }

    private mutating func digits() throws(MessageError) {
        let start = offset
        while let byte = next, (0x30...0x39).contains(byte) { offset += 1 }
        guard offset > start else { throw .malformed(at: offset) }
    }

    private mutating func text() throws(MessageError) -> String {
        guard next == UInt8(ascii: "\"") else { throw .malformed(at: offset) }
        let start = offset
        offset += 1
        var units: [UInt8] = []
        while let byte = next {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: units, as: UTF8.self) else { throw .malformed(at: start) }
                return text
            case UInt8(ascii: "\\"):
                try escape(into: &units)
            case 0..<0x20:
                throw .malformed(at: offset - 1)
            default:
                units.append(byte)
            }
        }
        throw .malformed(at: offset)
    }

    private mutating func escape(into units: inout [UInt8]) throws(MessageError) {
        guard let byte = next else { throw .malformed(at: offset) }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(byte)
        case UInt8(ascii: "b"): units.append(0x08)
        case UInt8(ascii: "f"): units.append(0x0C)
        case UInt8(ascii: "n"): units.append(0x0A)
        case UInt8(ascii: "r"): units.append(0x0D)
        case UInt8(ascii: "t"): units.append(0x09)
        case UInt8(ascii: "u"): units.append(contentsOf: String(try escapedScalar()).utf8)
        default: throw .malformed(at: offset - 1)
        }
    }

    /// The scalar of one or two `\uXXXX`; half a pair becomes the replacement character.
    private mutating func escapedScalar() throws(MessageError) -> Unicode.Scalar {
        let high = try codeUnit()
        if let scalar = Unicode.Scalar(UInt32(high)) { return scalar }
        guard high < 0xDC00, bytes[offset...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) else {
            return "\u{FFFD}"
        }
        let mark = offset
        offset += 2
        let low = try codeUnit()
        guard (0xDC00...0xDFFF).contains(low) else {
            offset = mark
            return "\u{FFFD}"
        }
        let value = 0x10000 + (UInt32(high) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
        return Unicode.Scalar(value) ?? "\u{FFFD}"
    }

    private mutating func codeUnit() throws(MessageError) -> UInt16 {
        guard bytes.count - offset >= 4 else { throw .malformed(at: bytes.count) }
        var value: UInt16 = 0
        for byte in bytes[offset..<(offset + 4)] {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt16(byte - 0x30)
            case 0x41...0x46: value = value << 4 | UInt16(byte - 0x37)
            case 0x61...0x66: value = value << 4 | UInt16(byte - 0x57)
            default: throw .malformed(at: offset)
            }
        }
        offset += 4
        return value
    }
}
