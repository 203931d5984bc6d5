/// A JSON object whose members are no objects or lists, read quickly: a line of a log, a record of a dump, a request.
struct FlatObject {
    enum Value: Hashable {
        case text([UInt8])
        case integer(Int64)
        case boolean(Bool)
        /// Null, or a number that is no integer.
        case other
    }

    private let members: [(key: [UInt8], value: Value)]

    /// Reads a whole text; `nil` for anything but one flat object.
    ///
    /// UTF-8 in texts is not checked, and the last of equal keys counts.
    init?(_ text: some Collection<UInt8>) {
        var scanner = FlatScanner(Array(text))
        guard let members = scanner.object() else { return nil }
        self.members = members
    }

    /// The members, if all are texts; the last of equal keys counts.
    var texts: [String: String]? {
        var texts: [String: String] = [:]
        for (key, value) in members {
            guard case .text(let text) = value else { return nil }
            texts[String(decoding: key, as: UTF8.self)] = String(decoding: text, as: UTF8.self)
        }
        return texts
    }

    subscript(key: StaticString) -> Value? {
        let bytes = key.withUTF8Buffer { unsafe Array($0) }
        return members.last { $0.key == bytes }?.value
    }

    func bytes(_ key: StaticString) -> [UInt8]? {
        guard case .text(let bytes)? = self[key] else { return nil }
        return bytes
    }

    func text(_ key: StaticString) -> String? {
        bytes(key).map { String(decoding: $0, as: UTF8.self) }
    }

    func integer(_ key: StaticString) -> Int64? {
        guard case .integer(let value)? = self[key] else { return nil }
        return value
    }

    func boolean(_ key: StaticString) -> Bool? {
        guard case .boolean(let value)? = self[key] else { return nil }
        return value
    }
}

private struct FlatScanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard current == byte else { return false }
        position += 1
        return true
    }

    mutating func object() -> [(key: [UInt8], value: FlatObject.Value)]? {
        var members: [(key: [UInt8], value: FlatObject.Value)] = []
        guard take(0x7B) else { return nil }
        if !take(0x7D) {
            repeat {
                guard let key = string(), take(0x3A), let value = value() else { return nil }
                members.append((key, value))
            } while take(0x2C)
            guard take(0x7D) else { return nil }
        }
        skipSpace()
        return position == bytes.count ? members : nil
    }

    private mutating func value() -> FlatObject.Value? {
        skipSpace()
        switch current {
        case 0x22: return string().map { .text($0) }
        case 0x74: return word("true") ? .boolean(true) : nil
        case 0x66: return word("false") ? .boolean(false) : nil
        case 0x6E: return word("null") ? .other : nil
        default: return number()
        }
    }

    private mutating func word(_ text: String) -> Bool {
        guard bytes[position...].starts(with: text.utf8) else { return false }
        position += text.utf8.count
        return true
    }

    private mutating func number() -> FlatObject.Value? {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(byte) {
            position += 1
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if let integer = Int64(text) { return .integer(integer) }
        return Double(text) == nil ? nil : .other
    }

    private mutating func string() -> [UInt8]? {
        guard take(0x22) else { return nil }
        let start = position
        while let byte = current, byte != 0x22, byte != 0x5C, byte >= 0x20 { position += 1 }
        if current == 0x22 {
            defer { position += 1 }
            return Array(bytes[start..<position])
        }
        var text = Array(bytes[start..<position])
        while let byte = current, byte >= 0x20 {
            position += 1
            switch byte {
            case 0x22: return text
            case 0x5C:
                guard let character = escaped() else { return nil }
                text += character
            default: text.append(byte)
            }
        }
        return nil
    }

    private mutating func escaped() -> [UInt8]? {
        guard let byte = current else { return nil }
        position += 1
        switch byte {
        case 0x22, 0x5C, 0x2F: return [byte]
        case 0x62: return [0x08]
        case 0x66: return [0x0C]
        case 0x6E: return [0x0A]
        case 0x72: return [0x0D]
        case 0x74: return [0x09]
        case 0x75:
            guard let unit = codeUnit() else { return nil }
            guard UTF16.isLeadSurrogate(unit) else { return Array(String(decoding: [unit], as: UTF16.self).utf8) }
            guard current == 0x5C, position + 1 < bytes.count, bytes[position + 1] == 0x75 else { return nil }
            position += 2
            guard let low = codeUnit(), UTF16.isTrailSurrogate(low) else { return nil }
            return Array(String(decoding: [unit, low], as: UTF16.self).utf8)
        default: return nil
        }
    }

    private mutating func codeUnit() -> UInt16? {
        guard position + 4 <= bytes.count else { return nil }
        let digits = bytes[position..<position + 4]
        guard digits.allSatisfy({ $0 != 0x2B && $0 != 0x2D }) else { return nil }
        position += 4
        return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
