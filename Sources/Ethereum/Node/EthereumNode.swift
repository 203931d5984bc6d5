import JSON
public import Runtime

/// A chain, as the nodes behind one or more endpoints tell it.
///
/// Nothing that they tell is trusted further than its form, but that headers match their hashes. Every question ends within
/// ``NodeOptions/timeout``; questions that change nothing are repeated at the next endpoint when one fails.
/// Source: Ethereum JSON-RPC specification (EIP-1474).
public struct EthereumNode: Sendable {
    let client: NodeClient

    /// Endpoints must belong to the given chain; without one, to that of the first one that answers.
    public init(
        endpoints: [NodeEndpoint],
        chainID: UInt64? = nil,
        options: NodeOptions = NodeOptions(),
        clock: any TimeSource = SystemTime()
    ) {
        client = NodeClient(endpoints, chainID: chainID, options: options, clock: clock)
    }

    /// The chain, after an endpoint said that it belongs to it.
    public func chainID() async throws(NodeError) -> UInt64 {
        _ = try await client.ask([])
        guard let chainID = client.chainID else { throw .malformed("no chain") }
        return chainID
    }

    /// The number of the newest block.
    public func blockNumber() async throws(NodeError) -> UInt64 {
        try await integer("eth_blockNumber")
    }

    /// A block; `nil` when the node has none such.
    ///
    /// Throws ``NodeError/malformed(_:)`` when its members are not those that its hash is of.
    public func block(_ reference: BlockReference) async throws(NodeError) -> Block? {
        try await ask(.block(reference)) { value throws(NodeError) in try Block.parse(value, for: reference) }
    }

    /// Several blocks with as few requests as allowed, in the order of the numbers.
    public func blocks(_ numbers: ClosedRange<UInt64>) async throws(NodeError) -> [Block?] {
        var blocks: [Block?] = []
        var next = numbers.lowerBound
        while next <= numbers.upperBound {
            let last = min(numbers.upperBound, next + UInt64(max(1, client.options.batchLimit)) - 1)
            let questions = (next...last).map { NodeQuestion.block(.number($0)) }
            for (number, answer) in zip(next...last, try await client.ask(questions)) {
                blocks.append(try Block.parse(try answer.getValue(), for: .number(number)))
            }
            guard last < UInt64.max else { break }
            next = last + 1
        }
        return blocks
    }

    /// The result of a call that is only tried.
    ///
    /// Throws ``NodeError/refused(_:)`` with the reason when the contract reverts.
    public func call(
        _ request: TransactionRequest,
        at block: BlockReference = .latest
    ) async throws(NodeError) -> [UInt8] {
        try await bytes(NodeQuestion("eth_call", [request.json, block.json]))
    }

    /// The gas that a call would use; refused like ``call(_:at:)`` when it reverts.
    public func estimateGas(_ request: TransactionRequest) async throws(NodeError) -> UInt64 {
        try await integer("eth_estimateGas", [request.json])
    }

    /// What gas costs at present.
    public func fees() async throws(NodeError) -> FeeEstimate {
        let latest = try await block(.latest)
        guard let baseFee = latest?.header.baseFee.wideInteger else {
            return FeeEstimate(baseFee: nil, priority: try await gasPrice())
        }
        return FeeEstimate(baseFee: baseFee, priority: try await maximumPriorityFee())
    }

    public func gasPrice() async throws(NodeError) -> UInt128 {
        try await wideInteger("eth_gasPrice")
    }

    /// The tip that the node suggests; zero where the node does not know of tips.
    public func maximumPriorityFee() async throws(NodeError) -> UInt128 {
        do throws(NodeError) {
            return try await wideInteger("eth_maxPriorityFeePerGas")
        } catch {
            guard case .refused(let refusal) = error, refusal.code == NodeRefusal.methodNotFound else { throw error }
            return 0
        }
    }

    /// Base fees of past blocks, oldest first, and that of the next one at the end.
    public func baseFees(ofLast count: UInt64) async throws(NodeError) -> [UInt128] {
        let question = NodeQuestion(
            "eth_feeHistory",
            [.string(HexText.quantity(count)), BlockReference.latest.json, .array([])]
        )
        return try await ask(question) { value throws(NodeError) in
            guard let elements = value["baseFeePerGas"]?.array, elements.count <= 1_025 else {
                throw .malformed("a fee history without base fees")
            }
            let fees = elements.compactMap { $0.string.flatMap(HexText.word)?.wideInteger }
            guard fees.count == elements.count else { throw .malformed("a base fee is no number") }
            return fees
        }
    }

    /// The count of an account's transactions, which is the nonce of its next one.
    public func transactionCount(
        of address: Address,
        at block: BlockReference = .latest
    ) async throws(NodeError) -> UInt64 {
        try await integer("eth_getTransactionCount", [.string(address.hex), block.json])
    }

    /// Hands a transaction to one endpoint; never repeated elsewhere, since an answer may have been lost.
    ///
    /// Returns its hash, which was compared with that of the bytes.
    @discardableResult
    public func send(_ transaction: SignedTransaction) async throws(NodeError) -> Word {
        let answers = try await client.ask(
            [NodeQuestion("eth_sendRawTransaction", [.string(HexText.data(transaction.raw))])],
            isRepeatable: false
        )
        guard let hash = try answers.first?.getValue().string.flatMap({ Word(hex: $0) }), hash == transaction.hash
        else {
            throw .malformed("a transaction was taken under another hash")
        }
        return hash
    }

    /// What became of a transaction; `nil` while it is in no block.
    public func receipt(of transaction: Word) async throws(NodeError) -> Receipt? {
        let question = NodeQuestion("eth_getTransactionReceipt", [.string(transaction.hex)])
        return try await ask(question) { value throws(NodeError) in
            guard value != .null else { return nil }
            guard let receipt = Receipt(json: value) else { throw .malformed("a receipt") }
            guard receipt.transaction == transaction else { throw .malformed("the receipt of another transaction") }
            return receipt
        }
    }

    /// A contract's code; empty where there is no contract.
    public func code(of address: Address, at block: BlockReference = .latest) async throws(NodeError) -> [UInt8] {
        try await bytes(NodeQuestion("eth_getCode", [.string(address.hex), block.json]))
    }

    public func balance(of address: Address, at block: BlockReference = .latest) async throws(NodeError) -> UInt128 {
        try await wideInteger("eth_getBalance", [.string(address.hex), block.json])
    }

    /// What a contract holds in a slot; zero where nothing is.
    public func storage(
        of address: Address,
        slot: Word,
        at block: BlockReference = .latest
    ) async throws(NodeError) -> Word {
        let content = try await bytes(
            NodeQuestion("eth_getStorageAt", [.string(address.hex), .string(slot.hex), block.json])
        )
        guard content.count <= Word.byteCount else { throw .malformed("a slot of more than 32 bytes") }
        return Word(leftPadding: content)
    }

    /// Proofs of a contract's account and slots, which are not checked here.
    ///
    /// Source: EIP-1186.
    public func proof(
        of address: Address,
        slots: [Word],
        at block: BlockReference
    ) async throws(NodeError) -> AccountProof {
        let question = NodeQuestion(
            "eth_getProof",
            [.string(address.hex), .array(slots.map { .string($0.hex) }), block.json]
        )
        return try await ask(question) { value throws(NodeError) in
            guard let proof = AccountProof(json: value, slots: slots) else { throw .malformed("a proof") }
            return proof
        }
    }
}
