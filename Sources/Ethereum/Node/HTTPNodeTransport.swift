public import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// JSON-RPC over HTTP, with a client that its owner shuts down.
public struct HTTPNodeTransport: NodeTransport {
    /// The largest answer that is read, in bytes.
    public static let defaultAnswerLimit = 16 << 20

    private let client: HTTPClient
    private let url: String
    private let answerLimit: Int
    private let timeout: Duration

    /// An endpoint at a URL of the scheme `http` or `https`.
    ///
    /// The timeout is for the head of an answer; the node's client bounds the whole answer.
    public init(
        url: String,
        client: HTTPClient = .shared,
        answerLimit: Int = defaultAnswerLimit,
        timeout: Duration = .seconds(30)
    ) {
        self.url = url
        self.client = client
        self.answerLimit = answerLimit
        self.timeout = timeout
    }

    /// Settings for a client of chain nodes: no redirects, short waits for a connection.
    public static var configuration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(10)
        return configuration
    }

    public func exchange(_ body: [UInt8]) async throws(NodeTransportError) -> [UInt8] {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "Accept", value: "application/json")
        request.body = .bytes(body)
        do {
            let response = try await client.execute(request, timeout: TimeAmount(timeout))
            // Some nodes answer with an error's status and a JSON-RPC error behind it.
            guard response.status == .ok || response.status == .badRequest else {
                throw NodeTransportError.unreachable("it answers with HTTP status \(response.status.code)")
            }
            let answer = try await response.body.collect(upTo: answerLimit)
            return Array(answer.readableBytesView)
        } catch let error as NodeTransportError {
            throw error
        } catch is NIOTooManyBytesError {
            throw .tooLarge
        } catch is CancellationError {
            throw .cancelled
        } catch {
            throw .unreachable(String(describing: error))
        }
    }
}
