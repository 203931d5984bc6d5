/// How a name server treats those who ask.
///
/// Source: names protocol, "Rate limits" and "Registration".
public struct NameServerOptions: Sendable {
    /// Whether a registration without key and signature is accepted, as very old servers did.
    public var allowsUnsigned = false
    /// The origin that a mirror follows; registrations are refused with its name.
    public var origin: String?
    /// Look-ups of one client in a second, and at once; 0 for no limit.
    public var lookUpsPerSecond = 50.0
    public var lookUpBurst = 200.0
    /// Registrations of one client in a minute, and at once; 0 for no limit.
    public var registrationsPerMinute = 5.0
    public var registrationBurst = 10.0
    /// Whether the last address of `X-Forwarded-For` is the client where a private address connects.
    public var trustsProxy = false
    /// Clients whose buckets are remembered, in each of two generations.
    public var rememberedClients = 65_536
    /// Registrations that are worked on or wait, of everybody together.
    public var maximumRegistrations = 10_000
    /// Other requests that the store works on at once, of everybody together.
    public var maximumRequests = 10_000
    /// How long a registration waits for the chain in the modes that hold it back.
    public var inclusionPatience = Duration.seconds(90)
    /// Threads that check signatures.
    public var verifierThreads = 2

    public init() {}
}

/// Where a name server listens and how patient it is with slow clients.
public struct NameServerListener: Sendable {
    public var host = "::"
    /// 0 lets the system pick one.
    public var port = 8080
    /// Connections above this number wait until others end.
    public var maximumConnections = 20_000
    /// The time for a request line with its headers, from the connection's begin or the request's first byte on.
    public var headerPatience = Duration.seconds(10)
    /// How long a connection may wait between two requests.
    public var idlePatience = Duration.seconds(30)
    public var bodyPatience = Duration.seconds(20)
    /// How long a client may take to read an answer.
    public var readingPatience = Duration.seconds(30)
    /// The longest time without an answer to a look-up; then the client gets 503.
    public var answerPatience = Duration.seconds(10)
    /// The same for what waits for a commit or a chain.
    public var registrationPatience = Duration.seconds(95)
    /// How long what is being answered may go on after the server was asked to stop.
    public var drainPatience = Duration.seconds(10)

    /// The largest body of a registration, in bytes.
    public static let maximumBodySize = 16_384
    /// All header fields together, in bytes.
    public static let maximumHeaderSize = 16_384
    public static let maximumHeaderCount = 64

    public init() {}
}
