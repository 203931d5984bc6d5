/// How sure it is that a name is an account's.
///
/// Source: names protocol, "What an answer proves".
public enum NameAssurance: Int, Comparable, Hashable, Sendable, CaseIterable {
    /// A server says so, and nobody signed.
    case unsigned
    /// The account signed the name; that no other account was given it is the server's word.
    case signed
    /// The registry's contract says so in a block that is trusted, and the account signed the name.
    case proved

    public static func < (left: NameAssurance, right: NameAssurance) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The name of the level for programs.
    public var text: String {
        switch self {
        case .unsigned: "unsigned"
        case .signed: "signed"
        case .proved: "proved"
        }
    }

    public init?(text: String) {
        guard let level = Self.allCases.first(where: { $0.text == text }) else { return nil }
        self = level
    }
}
