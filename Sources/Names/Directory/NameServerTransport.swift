/// A question to a name server.
public struct NameServerRequest: Hashable, Sendable {
    public enum Method: String, Hashable, Sendable {
        case get = "GET"
        case post = "POST"
    }

    public let method: Method
    /// With the slash in front; nothing in it needs to be escaped.
    public let path: String
    public let body: [UInt8]
    /// How long everything may take.
    public let limit: Duration

    private init(_ method: Method, _ path: String, body: [UInt8], limit: Duration) {
        self.method = method
        self.path = path
        self.body = body
        self.limit = limit
    }

    public static func get(_ path: String, limit: Duration) -> NameServerRequest {
        NameServerRequest(.get, path, body: [], limit: limit)
    }

    public static func post(_ path: String, body: [UInt8], limit: Duration) -> NameServerRequest {
        NameServerRequest(.post, path, body: body, limit: limit)
    }
}

/// A name server's answer, whatever it says.
public struct NameServerReply: Hashable, Sendable {
    public let status: Int
    /// What `Retry-After` says, where it says it in seconds.
    public let retryAfterSeconds: Int64?
    public let body: [UInt8]

    /// The bound on the body, in bytes.
    public static let maximumSize = 65_536

    public init(status: Int, retryAfterSeconds: Int64? = nil, body: [UInt8]) {
        self.status = status
        self.retryAfterSeconds = retryAfterSeconds
        self.body = body
    }
}

/// What carries questions to name servers.
///
/// Answers exactly once, within the request's limit, and soon after its task is cancelled.
public protocol NameServerTransport: Sendable {
    func send(
        _ request: NameServerRequest,
        to server: NameServerAddress
    ) async throws(NameServerFault) -> NameServerReply
}
