import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// Stands between a store and PostgreSQL, and loses what it is told to.
final class PostgreSQLProxy: Sendable {
    enum Loss: Sendable, CaseIterable {
        /// The next commit never reaches the server, and the connection breaks.
        case question
        /// The server commits, but nobody hears of it, and the connection breaks.
        case answer
    }

    private let channel: any Channel
    private let loss: LossPlan

    fileprivate final class LossPlan: Sendable {
        private let next = Mutex<Loss?>(nil)
        let losses = Mailbox<Loss>()

        func plan(_ loss: Loss) { next.withLock { $0 = loss } }

        func take() -> Loss? {
            let loss = next.withLock { next in
                defer { next = nil }
                return next
            }
            if let loss { losses.post(loss) }
            return loss
        }
    }

    private init(_ channel: any Channel, _ loss: LossPlan) {
        self.channel = channel
        self.loss = loss
    }

    /// Listens where libpq looks for a server's socket in a folder, for the server whose folder is the other one.
    static func start(in folder: String, before server: String) async throws -> PostgreSQLProxy {
        let plan = LossPlan()
        let name = "/.s.PGSQL.5432"
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { client in
                ClientBootstrap(group: client.eventLoop)
                    .channelInitializer { server in
                        server.eventLoop.makeCompletedFuture {
                            try server.pipeline.syncOperations.addHandler(Backward(client))
                        }
                    }
                    .connect(unixDomainSocketPath: server + name)
                    .flatMapThrowing { server in
                        try client.pipeline.syncOperations.addHandler(Forward(server, plan))
                    }
            }
            .bind(unixDomainSocketPath: folder + name).get()
        return PostgreSQLProxy(channel, plan)
    }

    func lose(_ loss: Loss) { self.loss.plan(loss) }

    /// Whether something was lost by now.
    func waitForLoss() async -> Loss? { await loss.losses.first(within: .seconds(20)) }

    func stop() async { try? await channel.close() }

    /// `Query("COMMIT")` of the protocol.
    fileprivate static let commit = [UInt8("Q".utf8.first ?? 0), 0, 0, 0, 11] + Array("COMMIT".utf8) + [0]
}

/// From the client to the server; both channels are on one event loop.
private final class Forward: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let server: any Channel
    private let plan: PostgreSQLProxy.LossPlan

    init(_ server: any Channel, _ plan: PostgreSQLProxy.LossPlan) {
        self.server = server
        self.plan = plan
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if bytes.readableBytesView.elementsEqual(PostgreSQLProxy.commit) {
            switch plan.take() {
            case .question:
                context.close(promise: nil)
                return
            case .answer:
                server.pipeline.fireUserInboundEventTriggered(Backward.Silence())
            case nil:
                break
            }
        }
        server.writeAndFlush(bytes, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

private final class Backward: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// The next answer is lost.
    struct Silence: Sendable {}

    private let client: any Channel
    private var isSilent = false

    init(_ client: any Channel) {
        self.client = client
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is Silence { isSilent = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isSilent else {
            context.close(promise: nil)
            return
        }
        client.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        client.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
