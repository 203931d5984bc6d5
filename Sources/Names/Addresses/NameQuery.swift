public import Keys
public import NameRegistry

/// What a person typed in order to find somebody: a name or an identifier, and perhaps the server to ask.
///
/// Source: names protocol, "Clients of ours".
public struct NameQuery: Hashable, Sendable {
    public enum Subject: Hashable, Sendable {
        case name(Name)
        case account(InfoHash)
    }

    public let subject: Subject
    /// The server in `NAME@SERVER`.
    public let server: NameServerAddress?

    /// Reads `[SCHEME:[//]][NAME@]REST`; the scheme is not looked at.
    public init(_ text: String) throws(NameQueryError) {
        let text = text.drop { $0 == " " }
        guard text.utf8.count <= Self.maximumLength, !text.contains(where: \.isWhitespace) else {
            throw .notAName(String(text.prefix(Self.maximumLength)))
        }
        let parts = Self.withoutScheme(text).split(separator: "@", omittingEmptySubsequences: false)
        switch parts.count {
        case 1:
            subject = try Self.subject(parts[0])
            server = nil
        case 2:
            subject = try Self.subject(parts[0])
            guard let server = NameServerAddress(parts[1]) else { throw .notAServer(String(parts[1])) }
            self.server = server
        default: throw .notAName(String(text))
        }
    }

    private static let maximumLength = 512

    private static func subject(_ text: Substring) throws(NameQueryError) -> Subject {
        if let account = InfoHash(hex: text) { return .account(account) }
        guard let name = Name(folding: text) else { throw .notAName(String(text)) }
        return .name(name)
    }

    private static func withoutScheme(_ text: Substring) -> Substring {
        guard let colon = text.firstIndex(of: ":"), colon > text.startIndex,
            text[..<colon].allSatisfy({ $0.isASCII && $0.isLetter })
        else { return text }
        let rest = text[colon...].dropFirst()
        return rest.hasPrefix("//") ? rest.dropFirst(2) : rest
    }
}

/// Why a text asks for nobody.
public enum NameQueryError: Error, Equatable, Sendable {
    case notAName(String)
    case notAServer(String)

    /// What is wrong and what to do, for a person.
    public var sentence: String {
        switch self {
        case .notAName(let text):
            "“\(text)” is neither a name nor an identifier. A name has 3 to 32 of the characters a–z, 0–9, _ and -; an "
                + "identifier has 40 hexadecimal digits."
        case .notAServer(let text):
            "“\(text)” is no name server. Write its host, or a URL that starts with https://."
        }
    }
}
