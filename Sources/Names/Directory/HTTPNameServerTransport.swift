import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks name servers over HTTP.
///
/// Redirections are not followed: what a server answers is judged as its own word.
public struct HTTPNameServerTransport: NameServerTransport {
    /// How long a connection may take.
    public static let connectLimit = Duration.seconds(10)

    /// The pool of connections lives as long as the process.
    static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .nanoseconds(Int64(connectLimit.components.seconds) * 1_000_000_000)
        configuration.connectionPool.idleTimeout = .seconds(15)
        configuration.maximumUsesPerConnection = 100
        return HTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            configuration: configuration
        )
    }()

    public init() {}

    public func send(
        _ request: NameServerRequest,
        to server: NameServerAddress
    ) async throws(NameServerFault) -> NameServerReply {
        let seconds = request.limit.components.seconds
        do {
            return try await Self.within(request.limit) { try await Self.exchange(request, with: server) }
        } catch let fault as NameServerFault {
            throw fault
        } catch is CancellationError {
            throw .cancelled
        } catch is LimitReached {
            throw .timedOut(seconds: seconds)
        } catch let error as HTTPClientError {
            throw Self.fault(for: error, seconds: seconds)
        } catch is NIOTooManyBytesError {
            throw .oversized(limit: NameServerReply.maximumSize)
        } catch {
            throw Task.isCancelled ? .cancelled : .unreachable(Self.reason(error))
        }
    }

    private static func exchange(
        _ request: NameServerRequest,
        with server: NameServerAddress
    ) async throws -> NameServerReply {
        var message = HTTPClientRequest(url: server.text + request.path)
        message.method = .RAW(value: request.method.rawValue)
        message.headers.add(name: "Accept", value: "*/*")
        message.headers.add(name: "Content-Type", value: "application/json")
        message.headers.add(name: "User-Agent", value: "Apus")
        if !request.body.isEmpty { message.body = .bytes(request.body) }
        let limit = TimeAmount.nanoseconds(request.limit.components.seconds * 1_000_000_000)
        let response = try await client.execute(message, timeout: limit)
        let body = try await response.body.collect(upTo: NameServerReply.maximumSize)
        return NameServerReply(
            status: Int(response.status.code),
            retryAfterSeconds: response.headers.first(name: "Retry-After").flatMap { Int64($0) }.map { max($0, 0) },
            body: Array(body.readableBytesView)
        )
    }

    private struct LimitReached: Error {}

    /// Also bounds the time that the body takes, which the client's own time-out does not.
    private static func within<Value: Sendable>(
        _ limit: Duration,
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw LimitReached()
            }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    private static func fault(for error: HTTPClientError, seconds: Int64) -> NameServerFault {
        switch error {
        case .cancelled: .cancelled
        case .deadlineExceeded, .readTimeout, .writeTimeout: .timedOut(seconds: seconds)
        case .connectTimeout: .timedOut(seconds: connectLimit.components.seconds)
        default: .unreachable(error.shortDescription)
        }
    }

    private static func reason(_ error: any Error) -> String {
        if let error = error as? NIOConnectionError {
            return error.connectionErrors.first.map { "\($0.error)" } ?? "the host is not known"
        }
        return AnswerReader.excerpt("\(error)")
    }
}
