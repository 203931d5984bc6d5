/// Which block a question is about.
public enum BlockReference: Hashable, Sendable {
    case number(UInt64)
    /// Source: EIP-1898.
    case hash(Word)
    case latest
    case safe
    case finalized
    case earliest
    case pending
}

/// A block whose header was checked against its hash.
public struct Block: Hashable, Sendable {
    public let header: BlockHeader
    public let hash: Word
    public let transactions: [Word]

    public init(header: BlockHeader, hash: Word, transactions: [Word]) {
        self.header = header
        self.hash = hash
        self.transactions = transactions
    }

    public var number: UInt64 { header.number }
}

/// An entry that a contract wrote to the log.
public struct Log: Hashable, Sendable {
    public let address: Address
    /// At most four; the first tells the event.
    public let topics: [Word]
    public let data: [UInt8]
    public let blockNumber: UInt64
    public let blockHash: Word
    public let transaction: Word
    /// The place in the block.
    public let index: UInt64

    public init(
        address: Address,
        topics: [Word],
        data: [UInt8],
        blockNumber: UInt64,
        blockHash: Word,
        transaction: Word,
        index: UInt64
    ) {
        self.address = address
        self.topics = topics
        self.data = data
        self.blockNumber = blockNumber
        self.blockHash = blockHash
        self.transaction = transaction
        self.index = index
    }
}

/// Which entries of the log are asked for.
public struct LogFilter: Hashable, Sendable {
    /// Empty for those of any contract.
    public var addresses: [Address]
    /// What the first topic may be; empty for any.
    public var events: [Word]

    public init(addresses: [Address], events: [Word] = []) {
        self.addresses = addresses
        self.events = events
    }

    func admits(_ log: Log) -> Bool {
        (addresses.isEmpty || addresses.contains(log.address))
            && (events.isEmpty || log.topics.first.map(events.contains) == true)
    }
}

/// What became of a transaction in a block.
public struct Receipt: Hashable, Sendable {
    public let transaction: Word
    public let blockNumber: UInt64
    public let blockHash: Word
    /// Whether it did what it should, and was not reverted.
    public let succeeded: Bool
    public let gasUsed: UInt64
    /// The contract that it made.
    public let contract: Address?
    public let logs: [Log]

    public init(
        transaction: Word,
        blockNumber: UInt64,
        blockHash: Word,
        succeeded: Bool,
        gasUsed: UInt64,
        contract: Address?,
        logs: [Log]
    ) {
        self.transaction = transaction
        self.blockNumber = blockNumber
        self.blockHash = blockHash
        self.succeeded = succeeded
        self.gasUsed = gasUsed
        self.contract = contract
        self.logs = logs
    }
}

/// A call that is only tried, to read its result or its cost.
public struct TransactionRequest: Hashable, Sendable {
    public var from: Address?
    /// `nil` makes a contract.
    public var to: Address?
    public var value: UInt128
    public var data: [UInt8]
    public var gas: UInt64?

    public init(from: Address? = nil, to: Address?, value: UInt128 = 0, data: [UInt8], gas: UInt64? = nil) {
        self.from = from
        self.to = to
        self.value = value
        self.data = data
        self.gas = gas
    }
}

/// What gas costs at present, in wei for each unit.
public struct FeeEstimate: Hashable, Sendable {
    /// `nil` on chains before London.
    public let baseFee: UInt128?
    /// The tip that nodes suggest, or the whole price without a base fee.
    public let priority: UInt128

    public init(baseFee: UInt128?, priority: UInt128) {
        self.baseFee = baseFee
        self.priority = priority
    }

    /// Fees that a transaction is included with even if the base fee doubles meanwhile.
    public var fees: Transaction.Fees {
        guard let baseFee else { return .legacy(gasPrice: priority) }
        let (doubled, overflow) = baseFee.multipliedReportingOverflow(by: 2)
        let (sum, carry) = doubled.addingReportingOverflow(priority)
        return .market(maximumPriority: priority, maximum: overflow || carry ? .max : sum)
    }
}
