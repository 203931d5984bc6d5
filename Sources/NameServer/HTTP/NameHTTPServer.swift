import HummingbirdCore
public import Logging
public import NIOCore
import Synchronization

/// Serves names over HTTP/1.1.
///
/// Calls may come from any task; ``stop()`` is called once after a successful ``start(_:at:group:logger:)``.
public final class NameHTTPServer: Sendable {
    /// Why a server cannot listen.
    public enum StartError: Error, Equatable, Sendable {
        case portInUse(Int)
        case notPermitted(port: Int)
        case unusableAddress(String, reason: String)
    }

    /// Where the server listens, with the port that the system has picked.
    public let address: SocketAddress
    private let server: Server<NameServerChannel>
    private let running: Task<Void, any Error>
    private let loops: [NIOLoopBoundBox<LoopConnections>]
    private let listener: NameServerListener

    private init(
        address: SocketAddress,
        server: Server<NameServerChannel>,
        running: Task<Void, any Error>,
        loops: [NIOLoopBoundBox<LoopConnections>],
        listener: NameServerListener
    ) {
        self.address = address
        self.server = server
        self.running = running
        self.loops = loops
        self.listener = listener
    }

    public var port: Int { address.port ?? 0 }

    /// Starts to serve.
    ///
    /// - Throws: ``StartError``.
    public static func start(
        _ service: NameService,
        at listener: NameServerListener,
        group: any EventLoopGroup,
        logger: Logger
    ) async throws(StartError) -> NameHTTPServer {
        try await start(responder: service, at: listener, group: group, logger: logger)
    }

    /// The same with any answers, for measurements.
    static func start(
        responder: any RequestResponder,
        at listener: NameServerListener,
        group: any EventLoopGroup,
        logger: Logger
    ) async throws(StartError) -> NameHTTPServer {
        let eventLoops = Array(group.makeIterator())
        let limit = max(1, listener.maximumConnections / max(1, eventLoops.count))
        var loops: [ObjectIdentifier: NIOLoopBoundBox<LoopConnections>] = [:]
        do {
            for eventLoop in eventLoops {
                loops[ObjectIdentifier(eventLoop)] = try await eventLoop.submit {
                    let connections = LoopConnections(
                        eventLoop: eventLoop,
                        listener: listener,
                        responder: responder,
                        // The last places are for those who come while others go.
                        limit: limit - limit / 16
                    )
                    connections.start()
                    return NIOLoopBoundBox(connections, eventLoop: eventLoop)
                }.get()
            }
            return try await listen(listener, loops: loops, group: group, logger: logger)
        } catch {
            for loop in loops.values { loop.eventLoop.execute { loop.value.stop() } }
            throw startError(error, listener)
        }
    }

    private static func listen(
        _ listener: NameServerListener,
        loops: [ObjectIdentifier: NIOLoopBoundBox<LoopConnections>],
        group: any EventLoopGroup,
        logger: Logger
    ) async throws -> NameHTTPServer {
        let (bound, continuation) = AsyncStream.makeStream(
            of: (any Channel).self,
            bufferingPolicy: .bufferingNewest(1)
        )
        let server = Server(
            childChannelSetup: NameServerChannel(loops: loops),
            configuration: ServerConfiguration(
                address: .hostname(listener.host, port: listener.port),
                backlog: 4_096,
                availableConnectionsDelegate: MaximumAvailableConnections(listener.maximumConnections, logger: logger)
            ),
            onServerRunning: { channel in
                continuation.yield(channel)
                continuation.finish()
            },
            eventLoopGroup: group,
            logger: logger
        )
        // Ends with the server; `stop()` waits for it.
        let running = Task {
            defer { continuation.finish() }
            try await server.run()
        }
        for await channel in bound {
            guard let address = channel.localAddress else { break }
            return NameHTTPServer(
                address: address,
                server: server,
                running: running,
                loops: Array(loops.values),
                listener: listener
            )
        }
        try await running.value
        throw ChannelError.operationUnsupported
    }

    private static func startError(_ error: any Error, _ listener: NameServerListener) -> StartError {
        switch (error as? IOError)?.errnoCode {
        case 98 /* EADDRINUSE */: .portInUse(listener.port)
        case 13 /* EACCES */, 1 /* EPERM */: .notPermitted(port: listener.port)
        default: .unusableAddress(listener.host, reason: "\(error)")
        }
    }

    /// Answers what is being asked, for ``NameServerListener/drainPatience`` at most, and ends.
    public func stop() async {
        let loops = loops
        let patience = listener.drainPatience
        let force = Task {
            try await Task.sleep(for: patience)
            for loop in loops { loop.eventLoop.execute { loop.value.closeAll() } }
        }
        try? await server.shutdownGracefully()
        force.cancel()
        _ = try? await running.value
        for loop in loops { loop.eventLoop.execute { loop.value.stop() } }
    }
}
