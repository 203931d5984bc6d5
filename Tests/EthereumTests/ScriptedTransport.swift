import Ethereum
import JSON
import Synchronization

/// An endpoint that answers as a test says.
final class ScriptedTransport: NodeTransport {
    typealias Script = @Sendable (_ request: JSONValue, _ count: Int) async throws(NodeTransportError) -> String

    private let script: Script
    private let requests = Mutex<[JSONValue]>([])

    init(script: @escaping Script) {
        self.script = script
    }

    /// Answers each question with a result, `eth_chainId` with chain 1551.
    convenience init(results: @escaping @Sendable (_ method: String, _ parameters: JSONValue) -> String?) {
        self.init(script: { request, _ in
            func answer(_ question: JSONValue) -> String {
                let id = question["id"]?.line ?? "null"
                let method = question["method"]?.string ?? ""
                let result =
                    results(method, question["params"] ?? .null) ?? (method == "eth_chainId" ? "\"0x60f\"" : nil)
                guard let result else {
                    return #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32601,"message":"no method"}}"#
                }
                guard !result.hasPrefix("error:") else {
                    return #"{"jsonrpc":"2.0","id":\#(id),"error":\#(result.dropFirst(6))}"#
                }
                return #"{"jsonrpc":"2.0","id":\#(id),"result":\#(result)}"#
            }
            guard let batch = request.array else { return answer(request) }
            return "[" + batch.map(answer).joined(separator: ",") + "]"
        })
    }

    /// The methods that were asked, batches apart.
    var methods: [String] {
        requests.withLock { $0.flatMap { $0.array ?? [$0] }.compactMap { $0["method"]?.string } }
    }

    /// The parameters of one method's questions.
    func parameters(of method: String) -> [JSONValue] {
        requests.withLock { requests in
            requests.flatMap { $0.array ?? [$0] }.filter { $0["method"]?.string == method }.compactMap { $0["params"] }
        }
    }

    func exchange(_ body: [UInt8]) async throws(NodeTransportError) -> [UInt8] {
        guard let request = JSONValue(parsing: String(decoding: body, as: UTF8.self)) else {
            throw .unreachable("no JSON was sent")
        }
        let count = requests.withLock { requests in
            requests.append(request)
            return requests.count
        }
        return Array(try await script(request, count).utf8)
    }
}

extension EthereumNode {
    /// A node with quick endings, of chain 1551.
    init(_ transports: ScriptedTransport..., options: NodeOptions? = nil) {
        self.init(
            endpoints: transports.enumerated().map { NodeEndpoint(name: "node \($0.offset)", transport: $0.element) },
            chainID: 1_551,
            options: options ?? .quick
        )
    }
}

extension NodeOptions {
    static var quick: NodeOptions {
        var options = NodeOptions()
        options.requestsPerSecond = 100_000
        return options
    }
}
