import Ethereum
import Keys
import NameRegistry
import NameServer
import Runtime
import Synchronization

/// A registry on a chain of blocks in memory: contracts' rules, pools that lose transactions, reorganisations, faults.
final class SimulatedChain: Sendable {
    struct Registry: Sendable {
        var records: [Name: NameRecord] = [:]
        var names: [InfoHash: Name] = [:]
        var journal = JournalState.empty
        var counts: [Address: UInt64] = [:]
        var commitRequired = false
    }

    struct Block: Sendable {
        var block: ObservedBlock
        var registry: Registry
        var operations: [ObservedOperation]
        var transactions: [Transaction]
    }

    struct Transaction: Hashable, Sendable {
        var sender: Address
        var nonce: UInt64
        var call: RegistryCall?
        var fees: GasFees
    }

    struct State: Sendable {
        var blocks: [Block]
        var pool: [Transaction] = []
        var signed: [Word: Transaction] = [:]
        var randomness: Randomness
        var registrars: Set<Address>
        /// The share of transactions that are lost after they were taken.
        var lossShare = 0.0
        /// The share of answers that do not come.
        var silenceShare = 0.0
        var isReachable = true
        /// Shows the operations to those who ask, for lies.
        var forge: (@Sendable ([ObservedOperation]) -> [ObservedOperation])?
    }

    static let finalDepth: UInt64 = 12
    let state: Mutex<State>

    init(seed: UInt64, registrars: Set<Address>) {
        let genesis = ObservedBlock(
            number: 0,
            hash: Word(hashing: [0]),
            parent: .zero,
            time: WallTime(seconds: 0),
            sealer: nil
        )
        let block = Block(block: genesis, registry: Registry(), operations: [], transactions: [])
        state = Mutex(State(blocks: [block], randomness: .seeded(seed), registrars: registrars))
    }

    var head: Block { state.withLock { $0.blocks[$0.blocks.count - 1] } }

    /// Makes a block of what waits.
    func mine(at time: WallTime) {
        state.withLock { state in
            let pool = state.pool
            state.pool = []
            Self.append(pool, to: &state, at: time)
        }
    }

    /// Replaces the newest blocks; their transactions come back to the pool, or are lost.
    func reorganise(depth: Int, at time: WallTime) {
        state.withLock { state in
            let depth = min(depth, state.blocks.count - 1, Int(Self.finalDepth) - 1)
            let dropped = state.blocks.suffix(depth).flatMap(\.transactions)
            state.blocks.removeLast(depth)
            let survives = dropped.map { _ in Double.random(in: 0...1, using: &state.randomness) < 0.5 }
            state.pool += zip(dropped, survives).filter(\.1).map(\.0)
            for index in 0...depth {
                let pool = index == depth / 2 ? state.pool : []
                if index == depth / 2 { state.pool = [] }
                Self.append(pool, to: &state, at: time)
            }
        }
    }

    private static func append(_ pool: [Transaction], to state: inout State, at time: WallTime) {
        let parent = state.blocks[state.blocks.count - 1]
        let number = parent.block.number + 1
        let salt = state.randomness.next()
        let hash = Word(hashing: parent.block.hash.bytes + Word(salt).bytes)
        var registry = parent.registry
        var operations: [ObservedOperation] = []
        var transactions: [Transaction] = []
        for transaction in pool.sorted(by: { $0.nonce < $1.nonce }) {
            let count = registry.counts[transaction.sender] ?? 0
            if transaction.nonce > count { state.pool.append(transaction) }
            guard transaction.nonce == count else { continue }
            registry.counts[transaction.sender] = count + 1
            transactions.append(transaction)
            guard let call = transaction.call,
                revert(call, from: transaction.sender, in: registry, registrars: state.registrars) == nil
            else { continue }
            execute(call, in: &registry, block: number, hash: hash, operations: &operations)
        }
        let block = ObservedBlock(number: number, hash: hash, parent: parent.block.hash, time: time, sealer: nil)
        state.blocks.append(
            Block(block: block, registry: registry, operations: operations, transactions: transactions)
        )
    }

    static func revert(
        _ call: RegistryCall,
        from sender: Address,
        in registry: Registry,
        registrars: Set<Address>
    ) -> String? {
        guard case .register(let registration) = call else { return nil }
        if !registrars.contains(sender) { return "not registrar" }
        if registry.commitRequired { return "commit required" }
        if registry.records[registration.name] != nil { return "taken" }
        return registry.names[registration.account] == nil ? nil : "addr taken"
    }

    private static func execute(
        _ call: RegistryCall,
        in registry: inout Registry,
        block: UInt64,
        hash: Word,
        operations: inout [ObservedOperation]
    ) {
        guard case .register(let registration) = call else { return }
        let operation = JournalOperation(
            sequence: registry.journal.sequence + 1,
            kind: .register,
            name: registration.name,
            owner: registration.owner,
            account: registration.account,
            evidenceDigest: registration.evidenceDigest
        )
        registry.records[registration.name] = NameRecord(registration)
        registry.names[registration.account] = registration.name
        registry.journal = JournalState(
            sequence: operation.sequence,
            head: operation.head(after: registry.journal.head)
        )
        operations.append(
            ObservedOperation(
                sequence: operation.sequence,
                kind: .register,
                name: registration.name,
                owner: registration.owner,
                account: registration.account,
                evidenceDigest: registration.evidenceDigest,
                evidence: registration.evidence,
                block: block,
                blockHash: hash,
                logIndex: UInt64(operations.count)
            )
        )
    }
}

/// The chain as one server's node shows it.
struct SimulatedNode: RegistryChain {
    let chain: SimulatedChain
    let registrar: Address

    private func ask<Value: Sendable>(
        _ body: (inout SimulatedChain.State) throws(ChainReadError) -> Value
    ) throws(ChainReadError) -> Value {
        let result = chain.state.withLock { state -> Result<Value, ChainReadError> in
            guard state.isReachable, Double.random(in: 0...1, using: &state.randomness) >= state.silenceShare else {
                return .failure(.unreachable(reason: "silence"))
            }
            do throws(ChainReadError) {
                return .success(try body(&state))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    func latest() async throws(ChainReadError) -> ObservedBlock {
        try ask { state in state.blocks[state.blocks.count - 1].block }
    }

    func taggedFinal() async throws(ChainReadError) -> UInt64? {
        try ask { state in UInt64(max(0, state.blocks.count - 1 - Int(SimulatedChain.finalDepth))) }
    }

    func block(_ number: UInt64) async throws(ChainReadError) -> ObservedBlock {
        try ask { state throws(ChainReadError) in
            guard number < state.blocks.count else { throw .inconsistent(reason: "no such block") }
            return state.blocks[Int(number)].block
        }
    }

    func operations(
        in blocks: ClosedRange<UInt64>,
        last: ObservedBlock
    ) async throws(ChainReadError) -> [ObservedOperation] {
        try ask { state throws(ChainReadError) in
            guard last.number < state.blocks.count, state.blocks[Int(last.number)].block == last else {
                throw .inconsistent(reason: "replaced")
            }
            let operations = state.blocks[Int(blocks.lowerBound)...Int(blocks.upperBound)].flatMap(\.operations)
            return state.forge?(operations) ?? operations
        }
    }

    func journal(at block: ObservedBlock) async throws(ChainReadError) -> JournalState? {
        try ask { state throws(ChainReadError) in
            guard block.number < state.blocks.count, state.blocks[Int(block.number)].block == block else {
                throw .inconsistent(reason: "replaced")
            }
            return state.blocks[Int(block.number)].registry.journal
        }
    }

    func record(of name: Name) async throws(ChainReadError) -> NameRecord? {
        try ask { state in state.blocks[state.blocks.count - 1].registry.records[name] }
    }

    func name(of account: InfoHash) async throws(ChainReadError) -> Name? {
        try ask { state in state.blocks[state.blocks.count - 1].registry.names[account] }
    }

    func registrars() async throws(ChainReadError) -> Set<Address> {
        try ask { state in state.registrars }
    }

    func requiresCommitments() async throws(ChainReadError) -> Bool {
        try ask { state in state.blocks[state.blocks.count - 1].registry.commitRequired }
    }

    func estimate(_ call: RegistryCall) async throws(ChainReadError) -> CallEstimate {
        try ask { state in
            let registry = state.blocks[state.blocks.count - 1].registry
            let message = SimulatedChain.revert(call, from: registrar, in: registry, registrars: state.registrars)
            return message.map { .reverts($0) } ?? .gas(177_000)
        }
    }

    func transactionCount() async throws(ChainReadError) -> UInt64 {
        try ask { state in state.blocks[state.blocks.count - 1].registry.counts[registrar] ?? 0 }
    }

    func suggestedFees() async throws(ChainReadError) -> GasFees {
        try ask { _ in GasFees(maximum: 2_000_000_000, priority: 1_000_000_000) }
    }

    func sign(_ call: RegistryCall?, nonce: UInt64, gas: UInt64, fees: GasFees) throws -> SignedCall {
        chain.state.withLock { state in
            let hash = Word(state.randomness.next())
            state.signed[hash] = SimulatedChain.Transaction(sender: registrar, nonce: nonce, call: call, fees: fees)
            return SignedCall(bytes: hash.bytes, hash: hash)
        }
    }

    func submit(_ call: SignedCall) async -> SubmissionResult {
        chain.state.withLock { state in
            guard state.isReachable, let transaction = state.signed[call.hash] else { return .unreachable }
            let registry = state.blocks[state.blocks.count - 1].registry
            guard transaction.nonce >= registry.counts[registrar] ?? 0 else { return .numberUsed }
            let isLost = Double.random(in: 0...1, using: &state.randomness) < state.lossShare
            if !isLost {
                let same: (SimulatedChain.Transaction) -> Bool = {
                    $0.sender == transaction.sender && $0.nonce == transaction.nonce
                }
                if let waiting = state.pool.firstIndex(where: same) {
                    guard transaction.fees.maximum >= state.pool[waiting].fees.maximum / 10 * 11 else {
                        return .underpriced
                    }
                    state.pool.remove(at: waiting)
                }
                state.pool.append(transaction)
            }
            let isSilent = Double.random(in: 0...1, using: &state.randomness) < state.silenceShare
            return isSilent ? .unreachable : .accepted
        }
    }
}
