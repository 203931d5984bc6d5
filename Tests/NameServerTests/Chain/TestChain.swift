import Ethereum
import Keys
import NameRegistry
import NameServer
import Runtime
import TestSupport

extension EthereumTestNode {
    /// The keys of accounts with money.
    func accountKeys() throws -> [EthereumKey] {
        try keys.compactMap { text in try Word(hex: text).map { try EthereumKey(secret: $0.bytes) } }
    }

    /// The nodes with these indices as one chain.
    func node(_ indices: [Int] = [0]) -> EthereumNode {
        var options = NodeOptions()
        options.attemptTimeout = .seconds(10)
        options.timeout = .seconds(20)
        options.requestsPerSecond = 10_000
        options.firstPause = .milliseconds(50)
        options.longestPause = .milliseconds(200)
        let endpoints = indices.map { index in
            NodeEndpoint(name: "node \(index)", transport: HTTPNodeTransport(url: urls[index]))
        }
        return EthereumNode(endpoints: endpoints, options: options)
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
                node: node,
                chainID: chainID,
                founder: founder,
                council: council,
                store: store,
                logic: logic
            )
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
