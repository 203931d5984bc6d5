public import Runtime

/// What one side tells the other before checks can start: credentials and candidates.
///
/// Source: peer connections protocol, "`ice_msg` text".
public struct ICEDescription: Hashable, Sendable {
    public var usernameFragment: String
    public var password: String
    public var candidates: [ICECandidate]

    public init(usernameFragment: String, password: String, candidates: [ICECandidate]) {
        self.usernameFragment = usernameFragment
        self.password = password
        self.candidates = candidates
    }

    /// Fresh credentials: 32 bits of username fragment, 96 bits of password.
    public static func credentials(using randomness: inout Randomness) -> (usernameFragment: String, password: String) {
        (Hexadecimal.encode(randomness.bytes(4)), Hexadecimal.encode(randomness.bytes(12)))
    }

    /// The text, a line feed after every line.
    public var text: String {
        ([usernameFragment, password] + candidates.map(\.text)).map { $0 + "\n" }.joined()
    }

    /// Parses a peer's text; candidate lines that are malformed or unknown are skipped.
    public init(text: String) throws(ICEDescriptionError) {
        guard text.utf8.count <= ICEDescriptionLimits.byteCount else { throw .tooLong }
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count >= 2 else { throw .truncated }
        usernameFragment = try Self.credential(lines[0], 4...256)
        password = try Self.credential(lines[1], 22...256)
        candidates = []
        for line in lines.dropFirst(2) where candidates.count < ICEDescriptionLimits.candidates {
            if let candidate = ICECandidate(text: Substring(line)) { candidates.append(candidate) }
        }
        guard !candidates.isEmpty else { throw .noCandidates }
    }

    private static func credential(
        _ line: Substring.UTF8View,
        _ length: ClosedRange<Int>
    ) throws(ICEDescriptionError) -> String {
        let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        let isLegal = text.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"): true
            default: false
            }
        }
        guard length.contains(text.count), isLegal else { throw .malformedCredentials }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Why a text is no description.
public enum ICEDescriptionError: Error, Equatable, Sendable {
    case tooLong
    case truncated
    case malformedCredentials
    /// Nothing that could be tried.
    case noCandidates
}

/// What a reader of descriptions accepts at most.
public enum ICEDescriptionLimits {
    /// Bytes of text.
    public static let byteCount = 16_384
    /// Candidates that are used; peers use no more than that either.
    public static let candidates = 31
    /// Host candidates that are sent.
    public static let hostCandidates = 8
}

// MARK: - Host candidates

extension ICEDescription {
    /// Two candidates for every local address, a passive and an active one, in the order of the addresses.
    ///
    /// Source: peer connections protocol, "Gathering (TCP)".
    public static func hostCandidates(_ addresses: [LocalAddress]) -> [ICECandidate] {
        var candidates: [ICECandidate] = []
        for isIPv6 in [false, true] {
            var preference = UInt16.max
            for local in addresses where local.host.isIPv6 == isIPv6 {
                for role in [ICECandidate.TCPRole.passive, .active] {
                    guard candidates.count < ICEDescriptionLimits.hostCandidates else { return candidates }
                    let port = role == .passive ? local.listeningPort : ICECandidate.activePort
                    candidates.append(
                        ICECandidate(
                            foundation: ICECandidate.foundation(of: .host, base: local.host),
                            transport: .tcp(role),
                            priority: ICECandidate.priority(of: .host, localPreference: preference),
                            address: TransportAddress(host: local.host, port: port),
                            kind: .host
                        )
                    )
                    preference -= 1
                }
            }
        }
        return candidates
    }
}

/// An address of this machine and the port on which its family is listened to.
public struct LocalAddress: Hashable, Sendable {
    public var host: IPAddress
    public var listeningPort: UInt16

    public init(host: IPAddress, listeningPort: UInt16) {
        self.host = host
        self.listeningPort = listeningPort
    }
}
