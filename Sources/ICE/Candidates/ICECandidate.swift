/// One candidate of an ICE description, with exactly the fields that Jami peers exchange.
///
/// Source: peer connections protocol, "`ice_msg` text"; RFC 8839 §5.1, RFC 6544 §4.5.
public struct ICECandidate: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case host
        case serverReflexive = "srflx"
        case peerReflexive = "prflx"
        case relay

        /// RFC 8445 §5.1.2.2.
        var preference: UInt32 {
            switch self {
            case .host: 126
            case .peerReflexive: 110
            case .serverReflexive: 100
            case .relay: 0
            }
        }

        var letter: String {
            switch self {
            case .host: "H"
            case .peerReflexive: "P"
            case .serverReflexive: "S"
            case .relay: "R"
            }
        }
    }

    public enum Transport: Hashable, Sendable {
        case tcp(TCPRole)
        case udp
    }

    public enum TCPRole: String, Hashable, Sendable, CaseIterable {
        case active, passive
        case simultaneousOpen = "so"
    }

    public var foundation: String
    public var component: Int
    public var transport: Transport
    public var priority: UInt32
    public var address: TransportAddress
    public var kind: Kind

    /// The port of a candidate that only dials.
    ///
    /// Source: RFC 6544 §4.5.
    public static let activePort: UInt16 = 9

    public init(
        foundation: String,
        component: Int = 1,
        transport: Transport,
        priority: UInt32,
        address: TransportAddress,
        kind: Kind
    ) {
        self.foundation = foundation
        self.component = component
        self.transport = transport
        self.priority = priority
        self.address = address
        self.kind = kind
    }

    /// The priority of a candidate.
    ///
    /// Source: RFC 8445 §5.1.2.1.
    public static func priority(of kind: Kind, localPreference: UInt16, component: Int = 1) -> UInt32 {
        kind.preference << 24 | UInt32(localPreference) << 8 | UInt32(256 - component)
    }

    /// A token that is the same for candidates of one kind and base address.
    static func foundation(of kind: Kind, base: IPAddress) -> String {
        switch base {
        case .v4(let bits):
            return kind.letter + String(bits, radix: 16)
        case .v6:
            let hash = base.bytes.reduce(0x811C_9DC5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
            return kind.letter + String(hash, radix: 16)
        }
    }
}

// MARK: - Text

extension ICECandidate {
    /// The candidate as one line, without the line feed.
    public var text: String {
        let (name, role) =
            switch transport {
            case .tcp(let role): ("TCP", " tcptype \(role.rawValue)")
            case .udp: ("UDP", "")
            }
        let head = "\(foundation) \(component) \(name) \(priority) \(address.host) \(address.port)"
        return head + " typ \(kind.rawValue)" + role
    }

    /// Parses one line; `nil` for every line that a reader has to skip.
    public init?(text: some StringProtocol) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" })
        guard words.count == 8 || words.count == 10, words[6] == "typ" else { return nil }
        guard (1...31).contains(words[0].utf8.count), words[2].utf8.count <= 11 else { return nil }
        guard let component = Int(words[1]), (1...256).contains(component) else { return nil }
        guard let priority = UInt32(words[3]), let port = UInt16(words[5]) else { return nil }
        guard let host = IPAddress(words[4]), let kind = Kind(rawValue: String(words[7])) else { return nil }
        let role: TCPRole?
        if words.count == 10 {
            guard words[8] == "tcptype", let known = TCPRole(rawValue: String(words[9])) else { return nil }
            role = known
        } else {
            role = nil
        }
        if words[2] == "TCP" {
            guard let role else { return nil }
            transport = .tcp(role)
        } else {
            transport = .udp
        }
        foundation = String(words[0])
        self.component = component
        self.priority = priority
        address = TransportAddress(host: host, port: port)
        self.kind = kind
    }
}
