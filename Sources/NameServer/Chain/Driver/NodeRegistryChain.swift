package import Ethereum
package import Keys
package import NameRegistry
import Runtime
import Synchronization

/// A registry on a real chain, through the JSON-RPC interface of nodes.
package final class NodeRegistryChain: RegistryChain {
    package struct Configuration: Sendable {
        package var council: Address
        /// The block that the registry was made in, or an earlier one.
        package var firstBlock: UInt64
        package var rule: FinalityRule

        package init(council: Address, firstBlock: UInt64 = 0, rule: FinalityRule) {
            self.council = council
            self.firstBlock = firstBlock
            self.rule = rule
        }
    }

    private struct Known: Sendable {
        var logic: Address?
        var logics: Set<Address> = []
        var registrarCandidates: Set<Address> = []
        /// Logs of the council were read up to this block.
        var scanned: UInt64?
        var signers: Set<Address> = []
        var hasMarketFees = true
    }

    package let node: EthereumNode
    package let configuration: Configuration
    package let chainID: UInt64
    /// The contract that holds the names.
    package let store: Address
    package let registrar: Address
    /// Whether no node has confirmed yet what is known of the registry.
    package let isRemembered: Bool
    private let key: EthereumKey
    private let known: Mutex<Known>

    /// Past this age nodes may have forgotten what a contract held.
    private static let keptStates: UInt64 = 120

    private init(
        node: EthereumNode,
        configuration: Configuration,
        key: EthereumKey,
        chainID: UInt64,
        store: Address,
        known: Known,
        isRemembered: Bool = false
    ) {
        self.node = node
        self.configuration = configuration
        self.isRemembered = isRemembered
        self.key = key
        self.chainID = chainID
        self.store = store
        registrar = key.account
        self.known = Mutex(known)
    }

    /// Asks the chain for the contracts of a council.
    package static func open(
        _ node: EthereumNode,
        _ configuration: Configuration,
        key: EthereumKey
    ) async throws(ChainReadError) -> NodeRegistryChain {
        do throws(NodeError) {
            let chainID = try await node.chainID()
            let council = configuration.council
            let store = try await node.ask(CouncilContract(council).storage(0))
            guard !store.isZero else { throw .malformed("the council \(council) has no storage yet") }
            var known = Known()
            let logic = try await node.ask(CouncilContract(council).logic())
            known.logic = logic.isZero ? nil : logic
            if case .seals = configuration.rule, let genesis = try await node.block(.number(0)) {
                known.signers = Set((try? genesis.header.cliqueSigners()) ?? [])
            }
            return NodeRegistryChain(
                node: node,
                configuration: configuration,
                key: key,
                chainID: chainID,
                store: store,
                known: known
            )
        } catch {
            throw ChainReadError(error)
        }
    }

    /// The registry as it was when a node answered last.
    package static func remembered(
        _ memory: RegistryMemory,
        at node: EthereumNode,
        _ configuration: Configuration,
        key: EthereumKey
    ) -> NodeRegistryChain {
        NodeRegistryChain(
            node: node,
            configuration: configuration,
            key: key,
            chainID: memory.chainID,
            store: memory.store,
            known: Known(logic: memory.logic, signers: Set(memory.signers)),
            isRemembered: true
        )
    }

    /// What is worth remembering for a start without a node.
    package var memory: RegistryMemory {
        known.withLock { known in
            RegistryMemory(
                chainID: chainID,
                council: configuration.council,
                store: store,
                logic: known.logic,
                signers: known.signers.sorted()
            )
        }
    }

    package var logic: Address? { known.withLock { $0.logic } }

    private func ask<Value: Sendable>(
        _ body: () async throws(NodeError) -> Value
    ) async throws(ChainReadError) -> Value {
        do throws(NodeError) {
            return try await body()
        } catch {
            throw ChainReadError(error)
        }
    }

    // MARK: Blocks

    package func latest() async throws(ChainReadError) -> ObservedBlock {
        guard let block = try await ask({ () async throws(NodeError) in try await node.block(.latest) }) else {
            throw .inconsistent(reason: "the node has no newest block")
        }
        return observed(block)
    }

    package func taggedFinal() async throws(ChainReadError) -> UInt64? {
        try await ask { () async throws(NodeError) in try await node.block(.finalized)?.number }
    }

    package func block(_ number: UInt64) async throws(ChainReadError) -> ObservedBlock {
        let block = try await ask { () async throws(NodeError) in try await node.block(.number(number)) }
        guard let block else { throw .inconsistent(reason: "the node has no block \(number)") }
        return observed(block)
    }

    private func observed(_ block: Block) -> ObservedBlock {
        var sealer: Address?
        if case .seals = configuration.rule {
            let signer = try? block.header.cliqueSigner()
            let listed = (try? block.header.cliqueSigners()) ?? []
            sealer = known.withLock { known in
                if !listed.isEmpty, block.number > 0 { known.signers = Set(listed) }
                return signer.flatMap { known.signers.contains($0) ? $0 : nil }
            }
        }
        return ObservedBlock(
            number: block.number,
            hash: block.hash,
            parent: block.header.parentHash,
            time: WallTime(seconds: Int64(clamping: block.header.timestamp)),
            sealer: sealer
        )
    }

    // MARK: Operations

    package func operations(
        in blocks: ClosedRange<UInt64>,
        last: ObservedBlock
    ) async throws(ChainReadError) -> [ObservedOperation] {
        try await scanCouncil(upTo: last.number)
        while true {
            let logics = known.withLock { $0.logics }
            let filter = LogFilter(
                addresses: logics.union([configuration.council]).sorted(),
                events: LogicEvent.topics + [CouncilEvent.selectionTopic]
            )
            let logs =
                if blocks.lowerBound == last.number {
                    try await ask { () async throws(NodeError) in try await node.logs(filter, inBlock: last.hash) }
                } else {
                    try await ask { () async throws(NodeError) in try await node.logs(filter, in: blocks) }
                }
            guard logs.allSatisfy({ $0.blockNumber != last.number || $0.blockHash == last.hash }) else {
                throw .inconsistent(reason: "block \(last.number) has been replaced")
            }
            note(logs.filter { $0.address == configuration.council })
            // Operations of a logic that was selected in these blocks were not asked for.
            guard known.withLock({ $0.logics }) == logics else { continue }
            return logs.filter { $0.address != configuration.council }.compactMap { ObservedOperation($0) }
        }
    }

    /// Finds the logics and registrars of the blocks before.
    private func scanCouncil(upTo block: UInt64) async throws(ChainReadError) {
        let scanned = known.withLock { $0.scanned }
        guard scanned == nil, configuration.firstBlock <= block else { return }
        let range = configuration.firstBlock...block
        let selections = LogFilter(addresses: [configuration.council], events: [CouncilEvent.selectionTopic])
        note(try await ask { () async throws(NodeError) in try await node.logs(selections, in: range) })
        known.withLock { $0.scanned = block }
    }

    private func note(_ logs: [Log]) {
        for log in logs {
            guard case .logicSelected(_, let current) = CouncilEvent(log) else { continue }
            known.withLock { known in
                known.logic = current.isZero ? nil : current
                if !current.isZero { known.logics.insert(current) }
            }
        }
    }

    package func journal(at block: ObservedBlock) async throws(ChainReadError) -> JournalState? {
        do throws(NodeError) {
            let sequence = try await node.storage(
                of: store,
                slot: RegistryLayout.sequence.slot,
                at: .hash(block.hash)
            )
            let head = try await node.storage(of: store, slot: RegistryLayout.journal.slot, at: .hash(block.hash))
            guard let sequence = sequence.integer else { throw .malformed("the registry's count is no number") }
            return JournalState(sequence: sequence, head: head)
        } catch {
            guard case .refused = error else { throw ChainReadError(error) }
            let newest = try await latest().number
            guard newest > block.number, newest - block.number > Self.keptStates else { throw ChainReadError(error) }
            return nil
        }
    }

    // MARK: The newest state

    private func slot(_ key: StoreKey) async throws(NodeError) -> Word {
        try await node.storage(of: store, slot: key.slot)
    }

    package func record(of name: Name) async throws(ChainReadError) -> NameRecord? {
        try await ask { () async throws(NodeError) in
            guard let owner = try await slot(RegistryLayout.owner(of: name)).address, !owner.isZero else { return nil }
            guard owner != NameRecord.tombstone else {
                return NameRecord(name: name, owner: owner, account: nil, evidenceDigest: .zero)
            }
            let account = try await slot(RegistryLayout.account(of: name)).address
            let evidence = try await slot(RegistryLayout.evidence(of: name))
            return NameRecord(name: name, owner: owner, account: account?.hash, evidenceDigest: evidence)
        }
    }

    package func name(of account: InfoHash) async throws(ChainReadError) -> Name? {
        try await ask { () async throws(NodeError) in Name(try await slot(RegistryLayout.name(of: account))) }
    }

    package func requiresCommitments() async throws(ChainReadError) -> Bool {
        try await ask { () async throws(NodeError) in !(try await slot(RegistryLayout.mode)).isZero }
    }

    package func isImportOpen() async throws(ChainReadError) -> Bool {
        try await ask { () async throws(NodeError) in !(try await slot(RegistryLayout.importOpen)).isZero }
    }

    package func registrars() async throws(ChainReadError) -> Set<Address> {
        let newest = try await latest().number
        try await scanCouncil(upTo: newest)
        return try await ask { () async throws(NodeError) in
            let logics = known.withLock { $0.logics }.sorted()
            var candidates: Set<Address> = [registrar]
            if !logics.isEmpty, configuration.firstBlock <= newest {
                let filter = LogFilter(addresses: logics, events: [LogicEvent.configurationTopic])
                for log in try await node.logs(filter, in: configuration.firstBlock...newest) {
                    guard case .configured(let action, let target, let value) = LogicEvent(log),
                        case .registrar(let address, _) = LogicAction(key: action, target: target, value: value)
                    else { continue }
                    candidates.insert(address)
                }
            }
            var registrars: Set<Address> = []
            for address in candidates where !(try await slot(RegistryLayout.isRegistrar(address))).isZero {
                registrars.insert(address)
            }
            return registrars
        }
    }

    // MARK: Writing

    package func estimate(_ call: RegistryCall) async throws(ChainReadError) -> CallEstimate {
        guard let logic, let data = call.data else {
            return .reverts("the council has selected no logic")
        }
        do throws(NodeError) {
            return .gas(try await node.estimateGas(TransactionRequest(from: registrar, to: logic, data: data)))
        } catch {
            guard case .refused(let refusal) = error, refusal.isRevert else { throw ChainReadError(error) }
            return .reverts(refusal.revertReason ?? "")
        }
    }

    package func transactionCount() async throws(ChainReadError) -> UInt64 {
        try await ask { () async throws(NodeError) in try await node.transactionCount(of: registrar) }
    }

    package func suggestedFees() async throws(ChainReadError) -> GasFees {
        let estimate = try await ask { () async throws(NodeError) in try await node.fees() }
        switch estimate.fees {
        case .legacy(let price):
            known.withLock { $0.hasMarketFees = false }
            return GasFees(maximum: UInt64(clamping: price), priority: UInt64(clamping: price))
        case .market(let priority, let maximum):
            known.withLock { $0.hasMarketFees = true }
            return GasFees(maximum: UInt64(clamping: maximum), priority: UInt64(clamping: priority))
        }
    }

    package func sign(_ call: RegistryCall?, nonce: UInt64, gas: UInt64, fees: GasFees) throws -> SignedCall {
        let (logic, hasMarketFees) = known.withLock { ($0.logic, $0.hasMarketFees) }
        let data = call.flatMap(\.data) ?? []
        let transaction = Transaction(
            chainID: chainID,
            nonce: nonce,
            fees: hasMarketFees
                ? .market(maximumPriority: UInt128(fees.priority), maximum: UInt128(fees.maximum))
                : .legacy(gasPrice: UInt128(fees.maximum)),
            gasLimit: gas,
            to: data.isEmpty ? registrar : logic ?? registrar,
            data: data
        )
        let signed = try transaction.signed(by: key)
        return SignedCall(bytes: signed.raw, hash: signed.hash)
    }

    package func submit(_ call: SignedCall) async -> SubmissionResult {
        guard let transaction = try? SignedTransaction(decoding: call.bytes) else {
            return .refused(reason: "the stored transaction is damaged")
        }
        do throws(NodeError) {
            try await node.send(transaction)
            return .accepted
        } catch {
            guard case .refused(let refusal) = error else { return .unreachable }
            return SubmissionResult(refusal: refusal.message)
        }
    }
}

extension SubmissionResult {
    /// Reads a node's text, whose words are the same in all clients.
    init(refusal message: String) {
        let text = message.lowercased()
        if text.contains("nonce too low") || text.contains("nonce is too low") || text.contains("old nonce") {
            self = .numberUsed
        } else if text.contains("already known") || text.contains("known transaction")
            || text.contains("already imported") || text.contains("already in")
        {
            self = .accepted
        } else if text.contains("underpriced") || text.contains("replacement") {
            self = .underpriced
        } else {
            self = .refused(reason: message)
        }
    }
}

extension ChainReadError {
    init(_ error: NodeError) {
        switch error {
        case .refused: self = .inconsistent(reason: "\(error)")
        case .unreachable, .timedOut, .otherChain, .malformed, .busy, .tooLarge, .cancelled:
            self = .unreachable(reason: "\(error)")
        }
    }
}
