import Hummingbird
import Logging
import NIOCore
import NIOPosix

@testable import NameServer

/// The least that an HTTP server can do, as a measure.
enum StaticAnswers {
    private static func body(_ size: Int) -> [UInt8] {
        Array("{\"name\":\"".utf8) + Array(repeating: UInt8(ascii: "a"), count: max(0, size - 11)) + Array("\"}".utf8)
    }

    static func servePlain(port: Int, size: Int) async throws {
        let router = Router()
        let buffer = ByteBuffer(bytes: body(size))
        router.get("/name/:name") { _, _ in
            Response(status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: buffer))
        }
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { _ in Program.answer("ready") },
            eventLoopGroupProvider: .singleton
        )
        try await application.run()
    }

    private struct Responder: RequestResponder {
        let reply: Reply
        let counters = ServerCounters()
        let trustsProxy = false

        func admit(_ request: HTTPRequest) -> Reply? { nil }
        func respond(to request: HTTPRequest) -> NameServer.Response { .now(reply) }
        func lateReply(to request: HTTPRequest) -> Reply { reply }
        func malformedReply(to request: HTTPRequest) -> Reply { reply }
    }

    static func serve(port: Int, size: Int) async throws {
        var listener = NameServerListener()
        listener.host = "127.0.0.1"
        listener.port = port
        let server = try await NameHTTPServer.start(
            responder: Responder(reply: Reply(.ok, body(size))),
            at: listener,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "bench")
        )
        Program.answer("ready")
        try await Task.sleep(for: .seconds(86_400))
        await server.stop()
    }
}
