/// How many columns of a terminal text takes.
enum DisplayWidth {
    /// Blocks of characters that are two columns wide, besides emoji.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
        0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
        0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
    ]

    static func of(_ character: Character) -> Int {
        let scalars = character.unicodeScalars
        guard let first = scalars.first else { return 0 }
        if scalars.contains(where: { $0.value == 0xFE0F }) || first.properties.isEmojiPresentation { return 2 }
        switch first.properties.generalCategory {
        case .control, .format, .nonspacingMark, .enclosingMark: return 0
        default: return wide.contains { $0.contains(first.value) } ? 2 : 1
        }
    }

    static func of(_ text: some StringProtocol) -> Int {
        text.reduce(0) { $0 + of($1) }
    }

    /// The text cut or filled up to exactly so many columns.
    static func fit(_ text: String, to columns: Int, isRight: Bool = false) -> String {
        let width = of(text)
        guard width > columns else {
            let filling = String(repeating: " ", count: columns - width)
            return isRight ? filling + text : text + filling
        }
        return cut(text, to: columns)
    }

    /// The text, with an ellipsis at its end when it does not fit.
    static func cut(_ text: String, to columns: Int) -> String {
        guard of(text) > columns else { return text }
        guard columns > 0 else { return "" }
        var result = ""
        var used = 0
        for character in text {
            let width = of(character)
            guard used + width < columns else { break }
            result.append(character)
            used += width
        }
        return result + "…" + String(repeating: " ", count: columns - used - 1)
    }
}
