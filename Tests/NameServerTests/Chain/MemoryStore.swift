import Ethereum
import Keys
import NameRegistry
import NameServer
import Runtime
import Synchronization

/// A store in memory that survives the crashes of what uses it, and can be told to be the moment of one.
final class MemoryStore: NameStore {
    struct Crash: Error {}

    enum Fault: Sendable {
        /// The next write fails and is gone.
        case beforeCommit
        /// The next write is there, but who made it never learns that.
        case afterCommit
    }

    struct Tables: Sendable {
        var rows: [Name: StoredName] = [:]
        var accounts: [InfoHash: Name] = [:]
        var evidences: [Word: NameEvidence] = [:]
        var log: [LocalLogEntry] = []
        var operations: [ChainOperation] = []
        var heads: [ChainHead] = []
        var entries: [OutboxEntry] = []
        var conflictRows: [NameConflict] = []
        var settings: [String: String] = [:]
    }

    private let tables = Mutex(Tables())
    private let fault = Mutex<Fault?>(nil)

    func failNext(_ fault: Fault?) { self.fault.withLock { $0 = fault } }
    var content: Tables { tables.withLock { $0 } }
    var statistics: NameStoreStatistics { NameStoreStatistics() }
    func close() async {}

    func register(
        _ registration: Registration,
        chained: Bool,
        at time: WallTime
    ) async throws(NameStoreError) -> RegistrationOutcome {
        do {
            return try await write { try $0.append(registration, chained: chained, at: time) }
        } catch {
            throw .unavailable(reason: "\(error)")
        }
    }

    func find(_ name: Name) async throws(NameStoreError) -> StoredName? { content.rows[name] }

    func find(_ account: InfoHash) async throws(NameStoreError) -> StoredName? {
        let content = content
        return content.accounts[account].flatMap { content.rows[$0] }
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any NameStoreReader) throws -> Value
    ) async throws -> Value {
        try body(MemoryTransaction(content))
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any NameStoreWriter) throws -> Value
    ) async throws -> Value {
        let fault = fault.withLock { fault in
            defer { fault = nil }
            return fault
        }
        return try tables.withLock { tables in
            let transaction = MemoryTransaction(tables)
            tables = Tables()
            let before = transaction.tables
            defer { tables = transaction.tables }
            do {
                let value = try body(transaction)
                switch fault {
                case nil: return value
                case .beforeCommit: throw Crash()
                case .afterCommit: break
                }
            } catch {
                transaction.tables = before
                throw error
            }
            throw Crash()
        }
    }
}

/// One transaction on the tables, or a reading of them.
final class MemoryTransaction: NameStoreWriter {
    var tables: MemoryStore.Tables

    init(_ tables: MemoryStore.Tables) {
        self.tables = tables
    }

    func find(_ name: Name) throws -> StoredName? { tables.rows[name] }
    func find(_ account: InfoHash) throws -> StoredName? { tables.accounts[account].flatMap { tables.rows[$0] } }
    func evidence(_ digest: Word) throws -> NameEvidence? { tables.evidences[digest] }

    func records(after name: Name?, limit: Int) throws -> [StoredName] {
        Array(
            tables.rows.values.filter { name == nil || $0.record.name > name ?? $0.record.name }
                .sorted { $0.record.name < $1.record.name }.prefix(limit)
        )
    }

    func nameRecords(after name: Name?, limit: Int) throws -> [NameRecord] {
        try records(after: name, limit: limit).map(\.record)
    }

    func recordCount() throws -> Int { tables.rows.count }

    func localLog(from sequence: UInt64, limit: Int) throws -> [LocalLogEntry] {
        Array(tables.log.dropFirst(Int(clamping: sequence) - 1).prefix(limit))
    }

    func lastLocalEntry() throws -> LocalLogEntry? { tables.log.last }

    func chainOperations(from sequence: UInt64, limit: Int) throws -> [ChainOperation] {
        Array(tables.operations.dropFirst(Int(clamping: sequence) - 1).prefix(limit))
    }

    func lastChainOperation() throws -> ChainOperation? { tables.operations.last }

    func chainOperations(of name: Name) throws -> [ChainOperation] {
        tables.operations.filter { $0.operation.name == name }
    }
    func chainHeads(limit: Int) throws -> [ChainHead] { Array(tables.heads.suffix(limit).reversed()) }

    func outbox(in states: [OutboxEntry.State], after id: Int64, limit: Int) throws -> [OutboxEntry] {
        Array(tables.entries.lazy.filter { states.contains($0.state) && $0.id > id }.prefix(limit))
    }

    func outboxEntry(localSequence: UInt64) throws -> OutboxEntry? {
        tables.entries.first { $0.localSequence == localSequence }
    }

    func outboxCounts() throws -> [OutboxEntry.State: Int] {
        Dictionary(grouping: tables.entries, by: \.state).mapValues(\.count)
    }

    func conflicts(unresolvedOnly: Bool, limit: Int) throws -> [NameConflict] {
        Array(tables.conflictRows.filter { !unresolvedOnly || $0.resolution == nil }.prefix(limit))
    }

    func setting(_ key: String) throws -> String? { tables.settings[key] }

    func append(_ registration: Registration, chained: Bool, at time: WallTime) throws -> RegistrationOutcome {
        if let stored = try find(registration.name) {
            let isSame =
                stored.record.account == registration.account && stored.record.owner == registration.owner
            return isSame ? .identical(stored) : .nameTaken(stored)
        }
        if let stored = try find(registration.account) { return .accountTaken(stored) }
        let stored = StoredName(
            record: NameRecord(registration),
            evidence: registration.evidence,
            state: .accepted,
            block: nil,
            created: time
        )
        try put(stored)
        let operation = JournalOperation(
            sequence: UInt64(tables.log.count + 1),
            kind: .register,
            name: registration.name,
            owner: registration.owner,
            account: registration.account,
            evidenceDigest: registration.evidenceDigest
        )
        let head = operation.head(after: tables.log.last?.head ?? .zero)
        tables.log.append(LocalLogEntry(operation: operation, time: time, head: head))
        if chained { try enqueue(localSequence: operation.sequence) }
        return .inserted(stored)
    }

    func append(_ change: NameChange, of name: Name, chained: Bool, at time: WallTime) throws -> NameChangeOutcome {
        .unknown
    }

    func put(_ record: StoredName) throws {
        let name = record.record.name
        if let account = record.record.account, let other = tables.accounts[account], other != name {
            throw NameStoreError.damaged(reason: "\(account) has \(other)")
        }
        if let account = tables.rows[name]?.record.account { tables.accounts[account] = nil }
        if let account = record.record.account { tables.accounts[account] = name }
        if let evidence = record.evidence { try put(evidence) }
        tables.rows[name] = record
    }

    func put(_ evidence: NameEvidence) throws { tables.evidences[evidence.digest] = evidence }

    func setState(_ state: RegistrationState, block: UInt64?, of name: Name) throws {
        tables.rows[name]?.state = state
        tables.rows[name]?.block = block
    }

    func remove(unacknowledged name: Name) throws {
        if let account = tables.rows.removeValue(forKey: name)?.record.account { tables.accounts[account] = nil }
    }

    func append(_ operations: [ChainOperation]) throws { tables.operations += operations }

    func removeChain(above block: UInt64) throws {
        tables.operations.removeAll { $0.block > block }
        tables.heads.removeAll { $0.number > block }
    }

    func append(_ head: ChainHead, keeping count: Int) throws {
        tables.heads = Array((tables.heads + [head]).suffix(count))
    }

    func setFinal(upTo block: UInt64) throws {
        for index in tables.heads.indices where tables.heads[index].number <= block {
            tables.heads[index].isFinal = true
        }
        for (name, row) in tables.rows where row.state == .included && (row.block ?? .max) <= block {
            tables.rows[name]?.state = .final
        }
    }

    func update(_ entry: OutboxEntry) throws {
        guard let index = tables.entries.firstIndex(where: { $0.id == entry.id }) else { return }
        tables.entries[index] = entry
    }

    func enqueue(localSequence: UInt64) throws {
        guard try outboxEntry(localSequence: localSequence) == nil else { return }
        tables.entries.append(
            OutboxEntry(
                id: Int64(tables.entries.count + 1),
                localSequence: localSequence,
                state: .queued,
                nonce: nil,
                transaction: nil,
                transactionHash: nil,
                sentAt: nil,
                attempts: 0,
                nextTry: nil,
                error: nil
            )
        )
    }

    func append(_ conflict: NameConflict) throws {
        var conflict = conflict
        conflict.id = Int64(tables.conflictRows.count + 1)
        tables.conflictRows.append(conflict)
    }

    func resolve(conflict: Int64, as resolution: String) throws {
        tables.conflictRows[Int(conflict) - 1].resolution = resolution
    }

    func set(_ value: String?, for key: String) throws { tables.settings[key] = value }
}
