import AsyncHTTPClient
import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import NameServer
import Runtime
import TestSupport

/// A test node with a real EVM, and what a test can make it do.
struct TestChain: Sendable {
    let process: LineClient
    let url: String
    let keys: [EthereumKey]
    let chainID: UInt64

    static func start(_ arguments: [String] = [], folder: String) async throws -> TestChain {
        guard let python = Peers.contractsPython else { throw PeerError("There is no Python for the test node") }
        let process = try await LineClient.start(
            [python, Peers.script("ethereum_node.py")] + arguments,
            errorLog: folder + "/ethereum_node.log"
        )
        guard let ready = process.events.all.first(where: { $0["event"]?.string == "ready" }),
            let url = ready["url"]?.string, let chainID = ready["chainId"]?.integer
        else { throw PeerError("The test node does not say where it is") }
        return TestChain(process: process, url: url, keys: try keys(in: ready), chainID: UInt64(chainID))
    }

    static func keys(in ready: JSONValue) throws -> [EthereumKey] {
        try (ready["keys"]?.array ?? []).compactMap { value in
            try value.string.flatMap { Word(hex: $0) }.map { try EthereumKey(secret: $0.bytes) }
        }
    }

    func stop() async { await process.process.stop() }

    var node: EthereumNode { Self.node(url) }

    static func node(_ url: String) -> EthereumNode {
        var options = NodeOptions()
        options.attemptTimeout = .seconds(10)
        options.timeout = .seconds(20)
        options.requestsPerSecond = 10_000
        options.firstPause = .milliseconds(50)
        options.longestPause = .milliseconds(200)
        return EthereumNode(
            endpoints: [NodeEndpoint(name: "test", transport: HTTPNodeTransport(url: url, client: .shared))],
            options: options
        )
    }

    @discardableResult func control(_ method: String, _ parameters: JSONValue = []) async throws -> JSONValue {
        try await Self.control(url, method, parameters)
    }

    @discardableResult static func control(
        _ url: String,
        _ method: String,
        _ parameters: JSONValue = []
    ) async throws -> JSONValue {
        let request: JSONValue = ["jsonrpc": "2.0", "id": 1, "method": .string(method), "params": parameters]
        let answer = try await HTTPNodeTransport(url: url, client: .shared).exchange(Array(request.line.utf8))
        guard let value = JSONValue(parsing: String(decoding: answer, as: UTF8.self)), let result = value["result"]
        else { throw PeerError("\(method): \(String(decoding: answer, as: UTF8.self))") }
        return result
    }
}

/// The contracts of a registry on a test chain, with a council of one member that decides at once.
struct TestRegistry: Sendable {
    let node: EthereumNode
    let chainID: UInt64
    let founder: EthereumKey
    let council: Address
    let store: Address
    let logic: Address

    static func deploy(
        _ node: EthereumNode,
        chainID: UInt64,
        founder: EthereumKey,
        registrars: [Address]
    ) async throws -> TestRegistry {
        guard let newest = try await node.block(.latest) else { throw PeerError("The chain has no block") }
        let version = ContractVersion.suitable(for: newest.header)
        var settings = CouncilContract.Settings()
        settings.minimumDuration = 1
        settings.executionDelay = 0
        let sender = Sender(node: node, chainID: chainID, key: founder)
        let council = try await sender.make(version.deployCouncil(settings))
        let blueprint = try await sender.make(version.deployBlueprint())
        let registry = { (store: Address, logic: Address) in
            TestRegistry(
                node: node, chainID: chainID, founder: founder, council: council, store: store, logic: logic)
        }
        let bare = registry(.zero, .zero)
        try await bare.decide(.addStorage(blueprint: blueprint, codeHash: version.blueprintHash))
        let store = try await node.ask(CouncilContract(council).storage(0))
        let logic = try await sender.make(version.deployLogic(council: council, storage: store))
        let codeHash = Word(hashing: try await node.code(of: logic))
        try await bare.decide(.selectLogic(logic, codeHash: codeHash))
        for registrar in registrars {
            try await bare.decide(.configure(.registrar(registrar, isAdmitted: true)))
        }
        return registry(store, logic)
    }

    /// Proposes, votes and executes.
    func decide(_ content: ProposalContent) async throws {
        let sender = Sender(node: node, chainID: chainID, key: founder)
        _ = try await sender.send(CouncilContract.propose(content, duration: 86_400), to: council)
        guard let proposal = try await node.ask(CouncilContract(council).current()) else {
            throw PeerError("There is no proposal")
        }
        _ = try await sender.send(CouncilContract.vote(proposal.payload, support: true), to: council)
        _ = try await sender.send(CouncilContract.execute(proposal.payload), to: council)
    }

    struct Sender {
        let node: EthereumNode
        let chainID: UInt64
        let key: EthereumKey

        func make(_ code: [UInt8]) async throws -> Address {
            guard let contract = try await send(code, to: nil).contract else { throw PeerError("No contract was made") }
            return contract
        }

        func send(_ data: [UInt8], to contract: Address?) async throws -> Receipt {
            let transaction = Transaction(
                chainID: chainID,
                nonce: try await node.transactionCount(of: key.account),
                fees: try await node.fees().fees,
                gasLimit: 6_000_000,
                to: contract,
                data: data
            )
            let hash = try await node.send(try transaction.signed(by: key))
            let receipt = try await eventually(within: .seconds(60), every: .milliseconds(20), "a receipt") {
                try await node.receipt(of: hash)
            }
            guard receipt.succeeded else { throw PeerError("A transaction was reverted") }
            return receipt
        }
    }
}
