/// What a JSON text may make a reader hold, checked before it is read.
///
/// A few bytes of brackets and commas could fill stack and memory otherwise.
enum JSONBounds {
    static let maximumDepth = 32
    static let maximumValues = 1 << 18

    /// Whether a text nests and enumerates within the bounds; says nothing of its validity.
    static func admit(_ text: [UInt8]) -> Bool {
        var depth = 0
        var values = 1
        var isInString = false
        var isEscaped = false
        for byte in text {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == 0x5C {
                    isEscaped = true
                } else if byte == 0x22 {
                    isInString = false
                }
                continue
            }
            switch byte {
            case 0x22: isInString = true
            case 0x5B, 0x7B:
                depth += 1
                values += 1
                guard depth <= maximumDepth else { return false }
            case 0x5D, 0x7D: depth -= 1
            case 0x2C: values += 1
            default: break
            }
            guard values <= maximumValues else { return false }
        }
        return true
    }
}
