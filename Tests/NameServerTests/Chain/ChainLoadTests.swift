import Ethereum
import Foundation
import Keys
import NameRegistry
import NameServer
import Runtime
import Synchronization
import TestSupport
import Testing

/// How much the chain side of a server reads and writes at once, however much there is.
@Suite(.timeLimit(.minutes(2))) struct ChainLoadTests {
    static let registrar = ChainSimulationTests.registrar(0)

    static func open(_ folder: TemporaryFolder) async throws -> SQLNameStore {
        try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: folder.path + "/names.sqlite"))
    }

    /// Puts names into a store and its outbox; with operations of a chain they are final.
    static func fill(_ store: SQLNameStore, count: Int, isFinal: Bool) async throws {
        let head = Mutex(Word.zero)
        for first in stride(from: 1, through: count, by: 500) {
            try await store.write { writer in
                for number in first..<min(first + 500, count + 1) {
                    let registration = try Sample.registration(number)
                    _ = try writer.append(registration, chained: true, at: Sample.time)
                    guard isFinal else { continue }
                    let operation = JournalOperation(
                        sequence: UInt64(number),
                        kind: .register,
                        name: registration.name,
                        owner: registration.owner,
                        account: registration.account,
                        evidenceDigest: registration.evidenceDigest
                    )
                    let next = head.withLock { head in
                        head = operation.head(after: head)
                        return head
                    }
                    try writer.append([
                        ChainOperation(operation: operation, block: 1, blockHash: Word(1), logIndex: 0, head: next)
                    ])
                    try writer.setState(.final, block: 1, of: registration.name)
                }
            }
        }
    }

    @Test func `a turn of the outbox reads what it can send, and sees all in the end`() async throws {
        let folder = try TemporaryFolder(named: "load")
        let store = try await Self.open(folder)
        try await Self.fill(store, count: 600, isFinal: false)
        let counting = CountingStore(store)
        let chain = SimulatedChain(seed: 1, registrars: [Self.registrar])
        let time = ManualTime()
        var worker = OutboxWorker(
            store: counting,
            chain: SimulatedNode(chain: chain, registrar: Self.registrar),
            blockTime: .seconds(5),
            time: time,
            randomness: .seeded(1)
        )
        let limits = OutboxCore.Limits()
        for _ in 0..<30 {
            let before = counting.rows
            try await worker.turn()
            #expect(counting.rows - before <= limits.page)
        }
        let pool = chain.state.withLock { $0.pool.count }
        #expect(pool == 600)
        // Nothing has happened since: the store is hardly asked.
        let before = counting.finds
        try await worker.turn()
        #expect(counting.finds - before == 0)
        await store.close()
    }

    @Test func `a comparison of equal contents writes nothing`() async throws {
        let folder = try TemporaryFolder(named: "load")
        let store = try await Self.open(folder)
        try await Self.fill(store, count: 2_000, isFinal: true)
        let last = try #require(try await store.read { try $0.lastChainOperation() })
        let journal = JournalState(sequence: last.operation.sequence, head: last.head)
        let before = store.statistics.commits
        let report = try await Reconciler(store: store, mode: .dual).run(block: 1, onChain: journal, at: Sample.time)
        #expect(report.isEqual)
        #expect(report.names == 2_000)
        #expect(store.statistics.commits == before)
        await store.close()
    }
}

/// A store that counts what is read of it.
final class CountingStore: NameStore {
    private let base: any NameStore
    private let counts = Mutex((rows: 0, finds: 0))

    init(_ base: any NameStore) {
        self.base = base
    }

    /// Rows of the outbox, and look-ups of names within longer reads.
    var rows: Int { counts.withLock { $0.rows } }
    var finds: Int { counts.withLock { $0.finds } }
    var statistics: NameStoreStatistics { base.statistics }

    func register(
        _ registration: Registration,
        chained: Bool,
        at time: WallTime
    ) async throws(NameStoreError) -> RegistrationOutcome {
        try await base.register(registration, chained: chained, at: time)
    }

    func find(_ name: Name) async throws(NameStoreError) -> StoredName? { try await base.find(name) }
    func find(_ account: InfoHash) async throws(NameStoreError) -> StoredName? { try await base.find(account) }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any NameStoreReader) throws -> Value
    ) async throws -> Value {
        try await base.read { reader in
            let counting = CountingReader(reader)
            defer {
                self.counts.withLock { counts in
                    counts.rows += counting.rows
                    counts.finds += counting.finds
                }
            }
            return try body(counting)
        }
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any NameStoreWriter) throws -> Value
    ) async throws -> Value {
        try await base.write(body)
    }

    func close() async { await base.close() }
}

private final class CountingReader: NameStoreReader {
    let base: any NameStoreReader
    var rows = 0
    var finds = 0

    init(_ base: any NameStoreReader) {
        self.base = base
    }

    func find(_ name: Name) throws -> StoredName? {
        finds += 1
        return try base.find(name)
    }

    func outbox(in states: [OutboxEntry.State], after id: Int64, limit: Int) throws -> [OutboxEntry] {
        let entries = try base.outbox(in: states, after: id, limit: limit)
        rows += entries.count
        return entries
    }

    func find(_ account: InfoHash) throws -> StoredName? { try base.find(account) }
    func evidence(_ digest: Word) throws -> NameEvidence? { try base.evidence(digest) }
    func records(after name: Name?, limit: Int) throws -> [StoredName] { try base.records(after: name, limit: limit) }

    func nameRecords(after name: Name?, limit: Int) throws -> [NameRecord] {
        try base.nameRecords(after: name, limit: limit)
    }

    func recordCount() throws -> Int { try base.recordCount() }

    func localLog(from sequence: UInt64, limit: Int) throws -> [LocalLogEntry] {
        try base.localLog(from: sequence, limit: limit)
    }

    func lastLocalEntry() throws -> LocalLogEntry? { try base.lastLocalEntry() }

    func chainOperations(from sequence: UInt64, limit: Int) throws -> [ChainOperation] {
        try base.chainOperations(from: sequence, limit: limit)
    }

    func lastChainOperation() throws -> ChainOperation? { try base.lastChainOperation() }
    func chainOperations(of name: Name) throws -> [ChainOperation] { try base.chainOperations(of: name) }
    func chainHeads(limit: Int) throws -> [ChainHead] { try base.chainHeads(limit: limit) }

    func outboxEntry(localSequence: UInt64) throws -> OutboxEntry? {
        try base.outboxEntry(localSequence: localSequence)
    }

    func outboxCounts() throws -> [OutboxEntry.State: Int] { try base.outboxCounts() }

    func conflicts(unresolvedOnly: Bool, limit: Int) throws -> [NameConflict] {
        try base.conflicts(unresolvedOnly: unresolvedOnly, limit: limit)
    }

    func setting(_ key: String) throws -> String? { try base.setting(key) }
}
