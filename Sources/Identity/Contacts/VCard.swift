/// The small part of vCard 2.1 in which profiles travel.
///
/// Source: accounts protocol, "Profiles".
public struct VCard: Sendable, Hashable {
    /// Longer texts are not read.
    public static let maximumSize = 1 << 20

    /// The name to show (`FN`).
    public var displayName: String

    public init(displayName: String) {
        self.displayName = displayName
    }

    /// Reads what is there; a text without a name gives an empty name, one that is too long or not UTF-8 gives `nil`.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.maximumSize, let text = String(validating: bytes, as: UTF8.self) else { return nil }
        displayName = ""
        for line in text.utf8.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            guard let colon = line.firstIndex(of: 0x3A) else { continue }
            // Parameters may stand behind the key, as in `FN;CHARSET=UTF-8`.
            let key = line[..<colon].prefix { $0 != 0x3B }
            guard String(Substring(key)) == "FN" else { continue }
            displayName = String(Substring(line[line.index(after: colon)...]))
            return
        }
    }

    public var text: String {
        // A line break would end the name and start a line of the sender's choice.
        let name = displayName.unicodeScalars.map { $0.value < 0x20 ? " " : String($0) }.joined()
        return "BEGIN:VCARD\nVERSION:2.1\nFN:\(name)\nEND:VCARD"
    }

    public var bytes: [UInt8] { Array(text.utf8) }
}
