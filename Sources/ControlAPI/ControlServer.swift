import Foundation
public import JSON
public import Logging
public import NIOCore
import NIOPosix

/// Serves JSON-RPC 2.0 on a unix socket, an object a line.
///
/// Only the user that runs the daemon may connect: the socket has mode 0600.
public actor ControlServer {
    /// Answers one request; what it throws becomes an error of JSON-RPC.
    public typealias Handler = @Sendable (RPCRequest, ControlPeer) async throws -> JSONValue

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>
    private typealias Listener = NIOAsyncChannel<Connection, Never>

    private let path: String
    private let group: any EventLoopGroup
    private let logger: Logger
    private let handler: Handler
    private var listener: Task<Void, Never>?

    /// How many connections are served at once; more wait in the kernel's queue.
    static let connectionLimit = 128

    public init(path: String, group: any EventLoopGroup, logger: Logger, handler: @escaping Handler) {
        self.path = path
        self.group = group
        self.logger = logger
        self.handler = handler
    }

    /// Binds the socket and begins to serve.
    ///
    /// Whatever stands at the path is removed first: the caller holds the lock of the data folder, so no other daemon
    /// uses it.
    public func start() async throws {
        try? FileManager.default.removeItem(atPath: path)
        // The mask of the process is left alone: it holds for every thread. The folder admits nobody else in any case.
        let channel = try await ServerBootstrap(group: group)
            .bind(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(LineDecoder()))
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let handler = handler
        let logger = logger
        listener = Task {
            do {
                try await channel.executeThenClose { connections in
                    try await withThrowingDiscardingTaskGroup { group in
                        for try await connection in connections {
                            group.addTask { await Self.serve(connection, handler: handler, logger: logger) }
                        }
                    }
                }
            } catch {
                logger.debug("control socket closed", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// Stops serving; open connections are closed.
    public func stop() async {
        listener?.cancel()
        await listener?.value
        listener = nil
        try? FileManager.default.removeItem(atPath: path)
    }

    private static func serve(_ connection: Connection, handler: @escaping Handler, logger: Logger) async {
        do {
            try await connection.executeThenClose { inbound, outbound in
                let peer = ControlPeer(outbound: outbound)
                try await withThrowingDiscardingTaskGroup { group in
                    for try await line in inbound {
                        do throws(RPCError) {
                            let request = try RPCRequest.parse(Array(line.readableBytesView))
                            group.addTask { await peer.answer(request, with: handler) }
                        } catch {
                            await peer.send(RPCResponse(id: nil, error: error))
                        }
                    }
                    // The client has gone: streams of events to it end.
                    group.cancelAll()
                }
            }
        } catch {
            logger.debug("control connection closed", metadata: ["reason": "\(error)"])
        }
    }
}

/// The client at the other end of a control connection.
public struct ControlPeer: Sendable {
    fileprivate let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>

    /// Sends a notification, for instance an event.
    public func notify(_ method: String, _ params: JSONValue) async throws {
        try await write(RPCRequest(id: nil, method: method, params: params))
    }

    /// A client that left does not read its answer.
    fileprivate func send(_ response: RPCResponse) async {
        try? await write(response)
    }

    fileprivate func answer(_ request: RPCRequest, with handler: ControlServer.Handler) async {
        let response: RPCResponse
        do {
            response = RPCResponse(id: request.id, result: try await handler(request, self))
        } catch let error as RPCError {
            response = RPCResponse(id: request.id, error: error)
        } catch is CancellationError {
            return
        } catch {
            response = RPCResponse(id: request.id, error: RPCError(code: .internalError, message: "\(error)"))
        }
        guard request.id != nil else { return }
        await send(response)
    }

    private func write(_ value: some Encodable) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var buffer = ByteBuffer(bytes: try encoder.encode(value))
        buffer.writeInteger(UInt8(ascii: "\n"))
        try await outbound.write(buffer)
    }
}
