/// How much a client asks of each endpoint, and how long it waits.
public struct NodeOptions: Hashable, Sendable {
    /// How long one endpoint may take to answer.
    public var attemptTimeout: Duration = .seconds(15)
    /// How long a question may take over all endpoints, with all waiting.
    public var timeout: Duration = .seconds(40)
    /// Requests to one endpoint at the same time.
    public var concurrentRequests = 8
    /// Requests to one endpoint in each second, on average.
    public var requestsPerSecond = 50
    /// Requests that may wait for their turn at one endpoint.
    public var waitingRequests = 1_024
    /// How long an endpoint that failed is asked last; doubles with each failure up to ``longestPause``.
    public var firstPause: Duration = .seconds(1)
    public var longestPause: Duration = .seconds(60)
    /// Blocks that are searched for log entries with one request.
    public var blocksPerLogRequest: UInt64 = 2_000
    /// Log entries in one answer to a caller.
    public var logLimit = 200_000
    /// Questions in one request.
    public var batchLimit = 100

    public init() {}
}

/// One endpoint of a chain.
public struct NodeEndpoint: Sendable {
    /// What people know it by; never with credentials.
    public let name: String
    public let transport: any NodeTransport

    public init(name: String, transport: any NodeTransport) {
        self.name = name
        self.transport = transport
    }
}
