public import Ethereum

/// A name that can be registered, in its one canonical form: 3 to 32 of `a`–`z`, `0`–`9`, `_` and `-`.
///
/// Source: names protocol, "Names".
public struct Name: Hashable, Sendable {
    public static let acceptedLengths = 3...32

    public let text: String

    /// A text that is canonical already, otherwise `nil`; signatures are made over this form.
    public init?(canonical text: some StringProtocol) {
        self.init(canonical: String(text))
    }

    // Not generic, since names are read from rows many thousand times a second.
    public init?(canonical text: String) {
        guard Self.acceptedLengths.contains(text.utf8.count), text.utf8.allSatisfy(Self.isAccepted) else { return nil }
        self.text = text
    }

    /// A text as people write it: ASCII capitals are folded; `nil` for what cannot be a name.
    public init?(folding text: some StringProtocol) {
        guard text.utf8.count <= Self.acceptedLengths.upperBound else { return nil }
        let folded = text.utf8.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
        self.init(canonical: String(decoding: folded, as: UTF8.self))
    }

    /// The form that contracts hold: the bytes, then zeros; `nil` for what contracts refuse.
    public init?(_ word: Word) {
        let bytes = word.bytes
        let length = bytes.firstIndex(of: 0) ?? bytes.count
        guard bytes[length...].allSatisfy({ $0 == 0 }) else { return nil }
        self.init(canonical: String(decoding: bytes[..<length], as: UTF8.self))
    }

    /// The form that contracts hold.
    public var word: Word {
        Word(Array(text.utf8) + Array(repeating: 0, count: Word.byteCount - text.utf8.count)) ?? .zero
    }

    private static func isAccepted(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x30...0x39, 0x2D, 0x5F: true
        default: false
        }
    }
}

extension Name: Comparable, CustomStringConvertible {
    public var description: String { text }

    /// The order of the bytes, which is that of the names in a snapshot.
    public static func < (left: Name, right: Name) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}
