public import Keys

/// The text forms in which users name each other.
///
/// Source: accounts protocol, "Identifiers".
public enum UserURI {
    /// The account id in a text such as `jami:<40 digits>`; `nil` for what may be a registered name.
    public static func accountID(in text: String) -> InfoHash? {
        let characters = Array(text.utf8)
        var start = 0
        for scheme in ["ring:", "jami:", "sips:"] {
            if let place = firstRange(of: Array(scheme.utf8), in: characters) {
                start = place.upperBound
                break
            }
        }
        while start < characters.count, characters[start] == 0x2F { start += 1 }
        guard characters.count - start >= 40 else { return nil }
        return InfoHash(hex: String(decoding: characters[start..<start + 40], as: UTF8.self))
    }

    /// The form that other programs understand.
    public static func text(for accountID: InfoHash) -> String {
        "jami:" + accountID.hex
    }

    private static func firstRange(of pattern: [UInt8], in text: [UInt8]) -> Range<Int>? {
        guard text.count >= pattern.count else { return nil }
        for start in 0...text.count - pattern.count where text[start..<start + pattern.count].elementsEqual(pattern) {
            return start..<start + pattern.count
        }
        return nil
    }
}
