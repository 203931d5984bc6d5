import Ethereum
import Foundation
import Keys
import NameRegistry
import NameServer
import Runtime

/// A server in mode `dual` without HTTP.
///
/// Arguments: `dual`, the folder of the store, a node's URL, the council's address, the registrar's secret, and the step at
/// which the process kills itself for the given time after it has read its first line.
enum DualPeer {
    /// The steps beside those of a store.
    private static let submission = ["beforeSubmit", "afterSubmit"]

    static func run(_ arguments: [String]) async throws {
        guard arguments.count == 8, let council = Address(hex: arguments[4]), let secret = Word(hex: arguments[5]),
            let count = Int(arguments[7])
        else { exit(2) }
        let death = Death(arguments[6], count)
        let store = try await SQLNameStore.sqlite(
            .init(path: arguments[2] + "/names.sqlite"),
            steps: { (step) throws(NameStoreError) in death.reached(step.rawValue) }
        )
        let node = EthereumNode(endpoints: [
            NodeEndpoint(name: "node", transport: HTTPNodeTransport(url: arguments[3]))
        ])
        let chain = try await NodeRegistryChain.open(
            node,
            NodeRegistryChain.Configuration(council: council, rule: .tag),
            key: try EthereumKey(secret: secret.bytes)
        )
        let service = ChainService(
            ChainService.Configuration(mode: .dual, council: council, rule: .tag, blockTime: .milliseconds(500)),
            store: store,
            chain: DyingChain(chain: chain, death: death),
            identity: ChainService.Identity(chainID: chain.chainID, store: chain.store)
        )
        try await service.prepare()
        let running = Task { await service.run() }
        NameStorePeer.say("ready")
        try await withThrowingDiscardingTaskGroup { group in
            for await line in NameStorePeer.input {
                death.arm()
                let registration = try NameStorePeer.registration(line)
                group.addTask {
                    _ = try await store.register(registration, chained: true, at: SystemTime().wallTime)
                    service.outboxHasGrown()
                    let outcome = await service.waitUntilIncluded(registration)
                    if case .included = outcome { NameStorePeer.say(line) }
                }
            }
        }
        running.cancel()
        await running.value
        await store.close()
    }
}

/// A chain whose server may die beside each transaction that it sends.
private struct DyingChain: RegistryChain {
    let chain: NodeRegistryChain
    let death: Death

    var registrar: Address { chain.registrar }

    func submit(_ call: SignedCall) async -> SubmissionResult {
        death.reached("beforeSubmit")
        let result = await chain.submit(call)
        death.reached("afterSubmit")
        return result
    }

    func latest() async throws(ChainReadError) -> ObservedBlock { try await chain.latest() }
    func taggedFinal() async throws(ChainReadError) -> UInt64? { try await chain.taggedFinal() }
    func block(_ number: UInt64) async throws(ChainReadError) -> ObservedBlock { try await chain.block(number) }

    func operations(
        in blocks: ClosedRange<UInt64>,
        last: ObservedBlock
    ) async throws(ChainReadError) -> [ObservedOperation] {
        try await chain.operations(in: blocks, last: last)
    }

    func journal(at block: ObservedBlock) async throws(ChainReadError) -> JournalState? {
        try await chain.journal(at: block)
    }

    func record(of name: Name) async throws(ChainReadError) -> NameRecord? { try await chain.record(of: name) }
    func name(of account: InfoHash) async throws(ChainReadError) -> Name? { try await chain.name(of: account) }
    func registrars() async throws(ChainReadError) -> Set<Address> { try await chain.registrars() }
    func requiresCommitments() async throws(ChainReadError) -> Bool { try await chain.requiresCommitments() }
    func estimate(_ call: RegistryCall) async throws(ChainReadError) -> CallEstimate { try await chain.estimate(call) }
    func transactionCount() async throws(ChainReadError) -> UInt64 { try await chain.transactionCount() }
    func suggestedFees() async throws(ChainReadError) -> GasFees { try await chain.suggestedFees() }

    func sign(_ call: RegistryCall?, nonce: UInt64, gas: UInt64, fees: GasFees) throws -> SignedCall {
        try chain.sign(call, nonce: nonce, gas: gas, fees: fees)
    }
}
