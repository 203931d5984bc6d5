/// Where a name server answers: what stands in front of the paths of its API.
///
/// Source: names protocol, "Clients of ours".
public struct NameServerAddress: Hashable, Sendable {
    /// In bytes, with the scheme.
    public static let maximumLength = 255

    /// What Jami's clients ask when nobody chose another server.
    public static let standard = NameServerAddress(text: "https://ns.jami.net")

    /// Where nobody answers, for trials that must not ask anybody.
    public static let nowhere = NameServerAddress(text: "http://127.0.0.1:9")

    /// Lower-case, with a scheme, without a slash at the end.
    public let text: String

    private init(text: String) {
        self.text = text
    }

    /// Reads what a person wrote: `https://` is added where no scheme is given; `nil` for what is no such address.
    ///
    /// Only `http` and `https` are schemes here, and neither a user nor a query is part of an address.
    public init?(_ given: some StringProtocol) {
        var bytes = given.utf8.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }[...]
        while let first = bytes.first, first == 0x20 { bytes.removeFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x2F { bytes.removeLast() }
        guard bytes.count <= Self.maximumLength, bytes.allSatisfy(Self.isAccepted) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        let (scheme, rest) = parts.count == 2 ? (String(parts[0]), parts[1]) : ("https", text[...])
        guard scheme == "http" || scheme == "https", Self.startsWithHost(rest) else { return nil }
        let whole = "\(scheme)://\(rest)"
        guard whole.utf8.count <= Self.maximumLength else { return nil }
        self.init(text: whole)
    }

    /// The host, with a port where one is given.
    public var authority: String {
        let rest = text.drop { $0 != ":" }.dropFirst(3)
        return String(rest.prefix { $0 != "/" })
    }

    /// Whether what is sent and answered can be read and changed on the way.
    public var isPlain: Bool { text.hasPrefix("http://") }

    private static func isAccepted(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x30...0x39: true
        case 0x2D, 0x2E, 0x2F, 0x3A, 0x5B, 0x5D, 0x5F, 0x7E, 0x25: true
        default: false
        }
    }

    private static func startsWithHost(_ rest: Substring) -> Bool {
        guard let first = rest.first, first != "/", first != ":" else { return false }
        let authority = rest.prefix { $0 != "/" }
        guard let port = authority.split(separator: ":", omittingEmptySubsequences: false).last,
            !authority.hasSuffix("]"), authority.contains(":")
        else { return true }
        return UInt16(port) != nil
    }
}

extension NameServerAddress: CustomStringConvertible {
    public var description: String { text }
}
