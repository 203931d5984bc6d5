public import Ethereum
public import NameRegistry
public import Runtime

/// An operation of this server in the order of acceptance, chained by the same hash as the chain's journal.
public struct LocalLogEntry: Hashable, Sendable {
    public var operation: JournalOperation
    public var time: WallTime
    /// The head of the journal with this operation.
    public var head: Word

    public init(operation: JournalOperation, time: WallTime, head: Word) {
        self.operation = operation
        self.time = time
        self.head = head
    }
}

/// An operation that a contract has logged.
public struct ChainOperation: Hashable, Sendable {
    public var operation: JournalOperation
    public var block: UInt64
    public var blockHash: Word
    public var logIndex: UInt64
    /// The head of the journal with this operation.
    public var head: Word

    public init(operation: JournalOperation, block: UInt64, blockHash: Word, logIndex: UInt64, head: Word) {
        self.operation = operation
        self.block = block
        self.blockHash = blockHash
        self.logIndex = logIndex
        self.head = head
    }
}

/// A block that the indexer has followed.
public struct ChainHead: Hashable, Sendable {
    public var number: UInt64
    public var hash: Word
    public var parent: Word
    public var isFinal: Bool

    public init(number: UInt64, hash: Word, parent: Word, isFinal: Bool) {
        self.number = number
        self.hash = hash
        self.parent = parent
        self.isFinal = isFinal
    }
}

/// A registration on its way to the chain.
public struct OutboxEntry: Hashable, Sendable {
    public enum State: UInt8, Sendable, CaseIterable {
        case queued = 0
        case sent = 1
        case included = 2
        case final = 3
        case failed = 4
    }

    public var id: Int64
    /// The operation of the local log that it carries.
    public var localSequence: UInt64
    public var state: State
    public var nonce: UInt64?
    /// The signed transaction that was last sent, and its hash.
    public var transaction: [UInt8]?
    public var transactionHash: Word?
    public var sentAt: WallTime?
    public var attempts: Int
    public var nextTry: WallTime?
    public var error: String?

    public init(
        id: Int64,
        localSequence: UInt64,
        state: State,
        nonce: UInt64?,
        transaction: [UInt8]?,
        transactionHash: Word?,
        sentAt: WallTime?,
        attempts: Int,
        nextTry: WallTime?,
        error: String?
    ) {
        self.id = id
        self.localSequence = localSequence
        self.state = state
        self.nonce = nonce
        self.transaction = transaction
        self.transactionHash = transactionHash
        self.sentAt = sentAt
        self.attempts = attempts
        self.nextTry = nextTry
        self.error = error
    }
}

/// A name that is different here and on the chain; both contents are kept.
public struct NameConflict: Hashable, Sendable {
    public var id: Int64
    public var name: Name
    /// The contents as JSON lines.
    public var local: String
    public var chain: String
    public var detected: WallTime
    public var resolution: String?

    public init(id: Int64, name: Name, local: String, chain: String, detected: WallTime, resolution: String?) {
        self.id = id
        self.name = name
        self.local = local
        self.chain = chain
        self.detected = detected
        self.resolution = resolution
    }
}
