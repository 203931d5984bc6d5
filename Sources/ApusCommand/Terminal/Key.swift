/// What was pressed on a keyboard.
enum Key: Equatable, Sendable {
    case character(Character)
    /// With the control key: a lower-case letter.
    case control(Character)
    case enter, tab, backspace, delete, escape
    case left, right, up, down, home, end
    case wordLeft, wordRight, deleteWord, deleteWordRight
}

/// Makes keys of the bytes of a terminal, in whatever pieces they come.
struct KeyDecoder {
    private static let longestSequence = 16

    private var waiting: [UInt8] = []

    /// The keys in some bytes; the start of a character or sequence waits for the rest.
    mutating func decode(_ bytes: some Sequence<UInt8>) -> [Key] {
        waiting += bytes
        var keys: [Key] = []
        while let first = waiting.first {
            if first == 0x1B {
                guard let (key, length) = sequence() else { break }
                waiting.removeFirst(length)
                if let key { keys.append(key) }
            } else if first < 0x20 || first == 0x7F {
                waiting.removeFirst()
                keys.append(Self.control(first))
            } else {
                guard let length = characterLength(first) else { break }
                let text = String(decoding: waiting.prefix(length), as: UTF8.self)
                waiting.removeFirst(length)
                for character in text where character != "\u{FFFD}" { keys.append(.character(character)) }
            }
        }
        // What begins like a sequence and does not end is no key.
        if waiting.count > Self.longestSequence { waiting.removeAll() }
        return keys
    }

    /// The escape key alone begins like a sequence; call this when nothing follows.
    mutating func flush() -> [Key] {
        guard waiting == [0x1B] else { return [] }
        waiting.removeAll()
        return [.escape]
    }

    private static func control(_ byte: UInt8) -> Key {
        switch byte {
        case 0x0A, 0x0D: .enter
        case 0x09: .tab
        case 0x08, 0x7F: .backspace
        case 0x01...0x1A: .control(Character(Unicode.Scalar(byte + 0x60)))
        default: .control(Character(Unicode.Scalar(byte)))
        }
    }

    /// The bytes of the character in front; `nil` when they are not all there.
    private func characterLength(_ first: UInt8) -> Int? {
        let length =
            switch first {
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 1
            }
        // A character that breaks off is none; its rest is looked at anew.
        let rest = waiting.dropFirst().prefix(length - 1)
        if let wrong = rest.firstIndex(where: { $0 & 0xC0 != 0x80 }) { return wrong }
        return waiting.count >= length ? length : nil
    }

    /// The sequence in front and its length, without a key when it means nothing here; `nil` when it is not all there.
    private func sequence() -> (Key?, Int)? {
        guard waiting.count > 1 else { return nil }
        switch waiting[1] {
        case UInt8(ascii: "["):
            guard let end = waiting.indices.dropFirst(2).first(where: { (0x40...0x7E).contains(waiting[$0]) }) else {
                return nil
            }
            let parameters = String(decoding: waiting[2..<end], as: UTF8.self)
            return (Self.named(waiting[end], parameters), end + 1)
        case UInt8(ascii: "O"):
            guard waiting.count > 2 else { return nil }
            return (Self.named(waiting[2], ""), 3)
        case UInt8(ascii: "b"): return (.wordLeft, 2)
        case UInt8(ascii: "f"): return (.wordRight, 2)
        case UInt8(ascii: "d"): return (.deleteWordRight, 2)
        case 0x7F, 0x08: return (.deleteWord, 2)
        case 0x1B: return (.escape, 1)
        default: return (nil, 2)
        }
    }

    private static func named(_ final: UInt8, _ parameters: String) -> Key? {
        let isModified = parameters.contains(";")
        switch final {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "C"): return isModified ? .wordRight : .right
        case UInt8(ascii: "D"): return isModified ? .wordLeft : .left
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "~"):
            switch parameters {
            case "1", "7": return .home
            case "4", "8": return .end
            case "3": return .delete
            case "3;5": return .deleteWordRight
            default: return nil
            }
        default: return nil
        }
    }
}
