import NIOCore
import NIOHTTP1
import NIOPosix

/// An HTTP server on loopback whose answers a test decides.
public final class ScriptedHTTPServer: Sendable {
    public struct Request: Sendable {
        public let method: String
        /// As it came, with percent signs.
        public let path: String
        public let headers: [String: String]
        public let body: [UInt8]

        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    public enum Answer: Sendable {
        case reply(status: Int = 200, headers: [String: String] = [:], body: [UInt8])
        /// The connection stays open and nothing comes.
        case silence
        /// The connection ends without an answer.
        case hangUp
        /// The beginning of an answer, and nothing more.
        case stall(body: [UInt8])

        public static func json(_ text: String, status: Int = 200, headers: [String: String] = [:]) -> Answer {
            .reply(status: status, headers: headers, body: Array(text.utf8))
        }
    }

    public typealias Script = @concurrent @Sendable (Request) async -> Answer

    /// Everything that was asked, in the order in which it came.
    public let requests: Mailbox<Request>
    public let url: String
    private let channel: any Channel

    private init(channel: any Channel, requests: Mailbox<Request>) {
        self.channel = channel
        self.requests = requests
        url = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    }

    /// Starts a server on a port that the system picks.
    public static func start(_ script: @escaping Script) async throws -> ScriptedHTTPServer {
        let requests = Mailbox<Request>()
        let responder = Responder(script: script, requests: requests)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(Exchange(responder))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ScriptedHTTPServer(channel: channel, requests: requests)
    }

    public func stop() async {
        try? await channel.close()
    }
}

/// One connection: reads requests and writes what the script says.
private final class Exchange: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let responder: Responder
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ responder: Responder) {
        self.responder = responder
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let part): body += part.readableBytesView
        case .end:
            guard let head else { return }
            let headers = Dictionary(head.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first }
            let request = ScriptedHTTPServer.Request(
                method: head.method.rawValue,
                path: head.uri,
                headers: headers,
                body: body
            )
            responder.respond(to: request, on: context.channel)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// Answers requests as the script says.
private struct Responder: Sendable {
    let script: ScriptedHTTPServer.Script
    let requests: Mailbox<ScriptedHTTPServer.Request>

    func respond(to request: ScriptedHTTPServer.Request, on channel: any Channel) {
        requests.post(request)
        // Ends with the script, whose waits have deadlines.
        Task { Self.write(await script(request), to: channel) }
    }

    private static func write(_ answer: ScriptedHTTPServer.Answer, to channel: any Channel) {
        switch answer {
        case .silence: return
        case .hangUp: channel.close(promise: nil)
        case .reply(let status, let headers, let body):
            send(status: status, headers: headers, body: body, announced: body.count, to: channel)
            channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
        case .stall(let body):
            send(status: 200, headers: [:], body: body, announced: body.count + 100, to: channel)
        }
    }

    private static func send(
        status: Int,
        headers: [String: String],
        body: [UInt8],
        announced: Int,
        to channel: any Channel
    ) {
        var fields = HTTPHeaders([("Content-Type", "application/json"), ("Content-Length", "\(announced)")])
        for (name, value) in headers { fields.replaceOrAdd(name: name, value: value) }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: fields)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
    }
}
