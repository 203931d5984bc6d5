import NIOCore

/// A request as the wire has brought it.
struct ServerRequest: Sendable {
    enum Method: Sendable {
        case get
        case head
        case post
        case other
    }

    var method: Method
    var target: RequestTarget
    var client: ClientKey
    var body = ByteBuffer()

    var hasReplyBody: Bool { method != .head }
}

/// Answers requests; knows neither sockets nor clocks of connections.
protocol RequestResponder: Sendable {
    /// Whether `X-Forwarded-For` is looked at.
    var trustsProxy: Bool { get }

    /// Looks at a request before its body is read: a refusal ends it here.
    func admit(_ request: ServerRequest) -> Reply?

    /// Answers a request that was admitted.
    func respond(to request: ServerRequest) -> ServerAnswer

    /// What a client hears whose answer did not come in time.
    func lateReply(to request: ServerRequest) -> Reply

    /// What a client hears who sends a larger body than is read, or none that can be.
    func malformedReply(to request: ServerRequest) -> Reply

    var counters: ServerCounters { get }
}

/// How a request is answered.
enum ServerAnswer: Sendable {
    case now(Reply)
    /// Work that blocks nobody and hands over the reply once, on any thread; the reply is written on the event loop.
    ///
    /// Without a task, of which look-ups would need thousands a second.
    case soon(@Sendable (_ answer: @escaping @Sendable (@escaping @Sendable () -> Reply) -> Void) -> Void)
    /// A task, run elsewhere.
    case later(@Sendable () async -> Reply)
}
