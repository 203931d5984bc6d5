public import Ethereum
public import Keys
public import NameRegistry
public import Runtime

/// Keeps the names of a server: the answers to look-ups, and everything that must never be lost.
///
/// Calls may come from any task; none blocks the caller's thread. What a call reports as done is on disk.
/// Source: names protocol, "Storage".
public protocol NameStore: Sendable {
    /// Registers a name unless that contradicts what is stored; durable when it returns.
    ///
    /// Registrations that come together share one commit. A chained one also waits in the outbox for the chain.
    /// A registration that was refused with an error is either gone or, if the process dies at once, there at the next
    /// start; the same request again is answered ``RegistrationOutcome/identical(_:)`` then.
    func register(
        _ registration: Registration,
        chained: Bool,
        at time: WallTime
    ) async throws(NameStoreError) -> RegistrationOutcome

    func find(_ name: Name) async throws(NameStoreError) -> StoredName?
    func find(_ account: InfoHash) async throws(NameStoreError) -> StoredName?

    /// The same without a task, which costs less; the answer comes once, on a thread that must not be held up.
    func find(_ name: Name, answer: @escaping @Sendable (Result<StoredName?, NameStoreError>) -> Void)
    func find(_ account: InfoHash, answer: @escaping @Sendable (Result<StoredName?, NameStoreError>) -> Void)

    /// Reads several things in one state of the store.
    ///
    /// - Throws: ``NameStoreError``, or what the body throws.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any NameStoreReader) throws -> Value
    ) async throws -> Value

    /// Writes several things in one transaction, which is on disk when it returns and gone when the body throws.
    ///
    /// The body may be run again when the database asks for it, so it must have no other effects.
    /// - Throws: ``NameStoreError``, or what the body throws.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any NameStoreWriter) throws -> Value
    ) async throws -> Value

    /// Counts since the store was opened, for metrics.
    var statistics: NameStoreStatistics { get }

    /// Ends after what is running and waiting; later calls throw ``NameStoreError/closed``.
    func close() async
}

extension NameStore {
    // Stores that need no speed have only the form for tasks; such a task ends with its look-up.
    public func find(_ name: Name, answer: @escaping @Sendable (Result<StoredName?, NameStoreError>) -> Void) {
        Task { answer(await self.result { () async throws(NameStoreError) in try await self.find(name) }) }
    }

    public func find(_ account: InfoHash, answer: @escaping @Sendable (Result<StoredName?, NameStoreError>) -> Void) {
        Task { answer(await self.result { () async throws(NameStoreError) in try await self.find(account) }) }
    }

    private func result(
        _ find: () async throws(NameStoreError) -> StoredName?
    ) async -> Result<StoredName?, NameStoreError> {
        do throws(NameStoreError) {
            return .success(try await find())
        } catch {
            return .failure(error)
        }
    }
}

/// Why a store could not do what it was asked.
public enum NameStoreError: Error, Equatable, Sendable {
    /// No space is left, or the medium fails; nothing was stored.
    case notWritable(reason: String)
    /// The database cannot be reached or is too busy; nothing was stored.
    case unavailable(reason: String)
    /// What is stored contradicts itself.
    case damaged(reason: String)
    case closed
}

/// How far a registration has got.
public enum RegistrationState: UInt8, Sendable, CaseIterable {
    /// Durable here.
    case accepted = 0
    /// In a transaction that was handed to the chain.
    case sent = 1
    case included = 2
    /// In a block that cannot be replaced any more.
    case final = 3
    /// The chain has other content.
    case conflict = 4
}

public struct StoredName: Hashable, Sendable {
    public var record: NameRecord
    public var evidence: NameEvidence?
    public var state: RegistrationState
    /// The block that it is in, if it is on the chain.
    public var block: UInt64?
    public var created: WallTime

    public init(
        record: NameRecord,
        evidence: NameEvidence?,
        state: RegistrationState,
        block: UInt64?,
        created: WallTime
    ) {
        self.record = record
        self.evidence = evidence
        self.state = state
        self.block = block
        self.created = created
    }
}

public enum RegistrationOutcome: Hashable, Sendable {
    case inserted(StoredName)
    /// The same name, account and owner were registered before.
    case identical(StoredName)
    /// The name is another account's, or withdrawn.
    case nameTaken(StoredName)
    /// The account has another name.
    case accountTaken(StoredName)
}

/// What an owner changes of a name that is registered.
public enum NameChange: Hashable, Sendable {
    case account(InfoHash, evidence: NameEvidence)
    case owner(Address)
    /// The name is withdrawn for ever, and its account may register another one.
    case release
}

public enum NameChangeOutcome: Hashable, Sendable {
    case changed(StoredName)
    /// The name was never registered.
    case unknown
    case withdrawn(StoredName)
    /// The account has another name.
    case accountTaken(StoredName)
}

/// What a store has done since it was opened.
public struct NameStoreStatistics: Hashable, Sendable {
    /// Look-ups that were answered.
    public var lookups: UInt64 = 0
    /// Registrations that were inserted and are durable.
    public var registrations: UInt64 = 0
    /// Commits, each for all that waited.
    public var commits: UInt64 = 0
    /// Commits that failed, with all that was in them.
    public var failedCommits: UInt64 = 0
    /// Writes that wait now.
    public var waitingWrites: Int = 0
    /// Reads that wait now.
    public var waitingReads: Int = 0

    public init() {}
}

/// What can be asked inside one transaction; blocking, on the store's own thread.
public protocol NameStoreReader {
    func find(_ name: Name) throws -> StoredName?
    func find(_ account: InfoHash) throws -> StoredName?
    /// Evidence by its digest.
    func evidence(_ digest: Word) throws -> NameEvidence?
    /// Records in the order of their names.
    func records(after name: Name?, limit: Int) throws -> [StoredName]
    /// The same without evidence and states, which is quicker.
    func nameRecords(after name: Name?, limit: Int) throws -> [NameRecord]
    func recordCount() throws -> Int

    /// The own log in the order of acceptance; the last entry has the head of its hash chain.
    func localLog(from sequence: UInt64, limit: Int) throws -> [LocalLogEntry]
    func lastLocalEntry() throws -> LocalLogEntry?

    /// Operations read from the chain.
    func chainOperations(from sequence: UInt64, limit: Int) throws -> [ChainOperation]
    func lastChainOperation() throws -> ChainOperation?
    /// All operations of one name that were read from the chain, the oldest first.
    func chainOperations(of name: Name) throws -> [ChainOperation]
    /// The newest headers that the indexer has followed, the newest first.
    func chainHeads(limit: Int) throws -> [ChainHead]

    /// Entries in the order in which they were put there.
    func outbox(in states: [OutboxEntry.State], after id: Int64, limit: Int) throws -> [OutboxEntry]
    func outboxEntry(localSequence: UInt64) throws -> OutboxEntry?
    func outboxCounts() throws -> [OutboxEntry.State: Int]
    func conflicts(unresolvedOnly: Bool, limit: Int) throws -> [NameConflict]
    /// Small values by name, such as the mode that was last used.
    func setting(_ key: String) throws -> String?
}

extension NameStoreReader {
    public func outbox(in states: [OutboxEntry.State], limit: Int) throws -> [OutboxEntry] {
        try outbox(in: states, after: 0, limit: limit)
    }
}

public protocol NameStoreWriter: NameStoreReader {
    /// Applies an operation of this server: record, evidence and local log together.
    func append(_ registration: Registration, chained: Bool, at time: WallTime) throws -> RegistrationOutcome

    /// Applies an owner's change, which the caller has authenticated: record, evidence and local log together.
    func append(
        _ change: NameChange,
        of name: Name,
        chained: Bool,
        at time: WallTime
    ) throws -> NameChangeOutcome

    /// Puts a record as it is on the chain; the caller has decided that nothing acknowledged is overwritten.
    ///
    /// The local log does not get it. Throws when the account has another name.
    func put(_ record: StoredName) throws
    /// Keeps evidence by its digest, such as the chain has logged; once is enough.
    func put(_ evidence: NameEvidence) throws
    func setState(_ state: RegistrationState, block: UInt64?, of name: Name) throws
    /// Frees a name and its account, for a registration that was never acknowledged; the local log keeps it.
    func remove(unacknowledged name: Name) throws

    func append(_ operations: [ChainOperation]) throws
    /// Forgets chain operations and heads above a block.
    func removeChain(above block: UInt64) throws
    /// Adds a header, and forgets all but the newest ones.
    func append(_ head: ChainHead, keeping count: Int) throws
    /// Marks headers and included names as final, up to this block and with it.
    func setFinal(upTo block: UInt64) throws

    func update(_ entry: OutboxEntry) throws
    /// Puts an operation of the local log into the outbox unless it is there.
    func enqueue(localSequence: UInt64) throws
    func append(_ conflict: NameConflict) throws
    func resolve(conflict: Int64, as resolution: String) throws
    func set(_ value: String?, for key: String) throws
}
