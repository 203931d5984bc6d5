/// Text with colours in it.
enum ANSIText {
    /// The text up to some columns; colours take none and end with it.
    static func cut(_ text: String, to columns: Int) -> String {
        var result = ""
        var used = 0
        var isInSequence = false
        var hasColours = false
        for character in text {
            if isInSequence {
                isInSequence = !character.isLetter
            } else if character == "\u{1B}" {
                isInSequence = true
                hasColours = true
            } else {
                let width = DisplayWidth.of(character)
                guard used + width <= columns else { return hasColours ? result + "\u{1B}[0m" : result }
                used += width
            }
            result.append(character)
        }
        return result
    }
}
