import Foundation
public import JSON
public import NIOCore
public import NIOPosix

/// Talks to a daemon over its control socket.
///
/// One connection for each call or subscription keeps the client free of state.
public struct ControlClient: Sendable {
    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let path: String
    private let group: any EventLoopGroup

    /// No daemon listens at the socket.
    public struct NotRunning: Error {}
    /// The daemon went away before it answered.
    public struct ConnectionLost: Error {}

    public init(path: String, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton) {
        self.path = path
        self.group = group
    }

    /// Calls a method and waits for its result.
    ///
    /// - Throws: ``RPCError`` for what the daemon refused, ``NotRunning`` or ``ConnectionLost`` otherwise.
    public func call(_ method: String, _ params: JSONValue = .object([:])) async throws -> JSONValue {
        try await exchange(RPCRequest(id: .integer(1), method: method, params: params)) { lines in
            for try await line in lines {
                let value = try JSONDecoder().decode(JSONValue.self, from: Data(line.readableBytesView))
                guard value["id"] != nil else { continue }
                return try Self.result(of: value)
            }
            throw ConnectionLost()
        }
    }

    /// Calls a method with typed parameters and a typed result.
    public func call<Result: Decodable>(
        _ method: String,
        _ params: some Encodable,
        returning type: Result.Type
    ) async throws -> Result {
        try await call(method, JSONValue(encoding: params)).decode(type)
    }

    /// Calls a method and hands over its notifications until `body` answers `false` or the daemon goes away.
    public func stream(
        _ method: String,
        _ params: JSONValue,
        body: @Sendable (JSONValue) async throws -> Bool
    ) async throws {
        try await exchange(RPCRequest(id: .integer(1), method: method, params: params)) { lines in
            for try await line in lines {
                let value = try JSONDecoder().decode(JSONValue.self, from: Data(line.readableBytesView))
                if value["id"] != nil {
                    _ = try Self.result(of: value)
                } else if let params = value["params"] {
                    guard try await body(params) else { return }
                }
            }
            throw ConnectionLost()
        }
    }

    private static func result(of value: JSONValue) throws -> JSONValue {
        let response = try value.decode(RPCResponse.self)
        if let error = response.error { throw error }
        return response.result ?? .null
    }

    private func exchange<Result: Sendable>(
        _ request: RPCRequest,
        body: @Sendable (NIOAsyncChannelInboundStream<ByteBuffer>) async throws -> Result
    ) async throws -> Result {
        let connection: Connection
        do {
            connection = try await ClientBootstrap(group: group)
                .connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(LineDecoder()))
                        return try Connection(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw NotRunning()
        }
        return try await connection.executeThenClose { inbound, outbound in
            var buffer = ByteBuffer(bytes: try JSONEncoder().encode(request))
            buffer.writeInteger(UInt8(ascii: "\n"))
            try await outbound.write(buffer)
            return try await body(inbound)
        }
    }
}
