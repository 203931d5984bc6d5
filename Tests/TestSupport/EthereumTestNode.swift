public import JSON

/// A test network of Ethereum: one node with a real EVM, or several Clique signers, in a process of its own.
///
/// What it can be told to do is in the head of `ethereum_node.py` and of `clique_network.py`.
public final class EthereumTestNode: Sendable {
    private let client: LineClient
    /// Where each node answers JSON-RPC; one for a single node.
    public let urls: [String]
    public let chainID: UInt64
    /// Accounts with money: private keys and addresses, `0x` and lower-case hexadecimal.
    public let keys: [String]
    public let addresses: [String]
    /// What the network reported when it was ready.
    public let report: JSONValue

    /// Starts a node that mines each transaction at once; options as for `ethereum_node.py`.
    public static func start(_ options: [String] = [], errorLog: String) async throws -> EthereumTestNode {
        try await start("ethereum_node.py", options, errorLog)
    }

    /// Starts five Clique signers; options as for `clique_network.py`.
    public static func startClique(_ options: [String] = [], errorLog: String) async throws -> EthereumTestNode {
        try await start("clique_network.py", options, errorLog)
    }

    private static func start(_ script: String, _ options: [String], _ errorLog: String) async throws
        -> EthereumTestNode
    {
        guard let python = Peers.contractsPython else { throw PeerError(Peers.missingForEthereum ?? "no Python") }
        let client = try await LineClient.start([python, Peers.script(script)] + options, errorLog: errorLog)
        guard let report = client.events.all.first(where: { $0["event"]?.string == "ready" }) else {
            throw PeerError("\(script) reported nothing")
        }
        return EthereumTestNode(client, report)
    }

    private init(_ client: LineClient, _ report: JSONValue) {
        func texts(_ name: String) -> [String] {
            (report[name]?.array ?? []).compactMap(\.string)
        }
        self.client = client
        self.report = report
        let several = (report["nodes"]?.array ?? []).compactMap { $0["url"]?.string }
        urls = several.isEmpty ? [report["url"]?.string].compactMap(\.self) : several
        chainID = report["chainId"]?.integer.map(UInt64.init(clamping:)) ?? 0
        keys = texts("keys")
        addresses = texts("addresses")
    }

    /// Asks for a method, past every fault that JSON-RPC over HTTP was told to have.
    ///
    /// `node` is the signer of a Clique network to ask; `nil` asks the network itself (`clique_…`).
    @discardableResult
    public func call(_ method: String, _ parameters: [JSONValue] = [], node: Int? = nil) async throws -> JSONValue {
        var request: [String: JSONValue] = ["method": .string(method), "params": .array(parameters)]
        if let node { request["node"] = .integer(Int64(node)) }
        return try await client.request(request)
    }

    public func stop() async {
        await client.process.stop()
    }
}
