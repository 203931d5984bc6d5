import Dispatch
import Foundation
import JSON
import Keys
import NameRegistry
import NameServer
import NameServerPostgreSQL
import Synchronization
import TestSupport
import Testing

/// The database is lost in the middle of a commit: what is not known is never called a success.
@Suite(.timeLimit(.minutes(2)), .enabled(if: PostgreSQLCluster.isInstalled, "PostgreSQL is not installed"))
struct PostgreSQLLossTests {
    /// A store whose way to the database may be cut.
    private struct Place {
        let folder: TemporaryFolder
        let database: String
        let proxy: PostgreSQLProxy

        init() async throws {
            folder = try TemporaryFolder(named: "pgloss")
            let cluster = try await PostgreSQLCluster.shared()
            database = try await cluster.makeDatabase()
            proxy = try await PostgreSQLProxy.start(in: folder.path, before: cluster.path)
        }

        func open(
            direct: Bool = false,
            steps: @escaping StoreSteps = { (_) throws(NameStoreError) in }
        ) async throws -> SQLNameStore {
            let parts = database.split(separator: " ").dropFirst(direct ? 0 : 1).map(String.init)
            let connection = ((direct ? [] : ["host=\(folder.path)"]) + parts).joined(separator: " ")
            let configuration = PostgreSQLStoreConfiguration(
                connection: connection,
                logPath: folder.path + "/registrations.log"
            )
            return try await SQLNameStore.postgreSQL(configuration, steps: steps)
        }
    }

    private static func register(_ number: Int, in store: SQLNameStore) async throws(NameStoreError)
        -> RegistrationOutcome
    {
        guard let registration = try? Sample.registration(number) else { throw .closed }
        return try await store.register(registration, chained: true, at: Sample.time)
    }

    /// Registers again and again until the store is connected again, as clients do after 503.
    private static func insist(_ number: Int, in store: SQLNameStore) async throws -> RegistrationOutcome {
        try await eventually(within: .seconds(30), every: .milliseconds(20), "the store is connected again") {
            do throws(NameStoreError) {
                return try await register(number, in: store)
            } catch {
                guard case .unavailable = error else { throw error }
                return nil
            }
        }
    }

    @Test(arguments: PostgreSQLProxy.Loss.allCases)
    func `a commit without an answer is no success, and its repetition is one`(
        loss: PostgreSQLProxy.Loss
    ) async throws {
        let place = try await Place()
        let store = try await place.open()
        let first = try await Self.register(1, in: store)
        #expect(first.isInserted)
        place.proxy.lose(loss)
        let error = await #expect(throws: NameStoreError.self) { try await Self.register(2, in: store) }
        guard case .unavailable? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(await place.proxy.waitForLoss() == loss)
        let again = try await Self.insist(2, in: store)
        #expect(loss == .answer ? again.isIdentical : again.isInserted)
        let third = try await Self.register(3, in: store)
        #expect(third.isInserted)
        try await Self.expect([1, 2, 3], in: store)
        await store.close()
        await place.proxy.stop()
        // Log and database agree: nothing is brought from one to the other.
        let reopened = try await place.open(direct: true)
        #expect(reopened.replay == LogReplayReport())
        try await Self.expect([1, 2, 3], in: reopened)
        await reopened.close()
    }

    @Test(arguments: PostgreSQLProxy.Loss.allCases)
    func `a process that dies not knowing leaves what a repetition finds`(loss: PostgreSQLProxy.Loss) async throws {
        let place = try await Place()
        let store = try await place.open()
        place.proxy.lose(loss)
        await #expect(throws: NameStoreError.self) { try await Self.register(1, in: store) }
        // Its line in the log is still open when the next process starts.
        await store.close()
        await place.proxy.stop()
        let reopened = try await place.open(direct: true)
        let again = try await Self.register(1, in: reopened)
        // A line of the log that was not refused counts, whether or not the database had it.
        #expect(again.isIdentical)
        try await Self.expect([1], in: reopened)
        await reopened.close()
    }

    @Test func `a backend that ends between statement and commit refuses, and leaves nothing`() async throws {
        let place = try await Place()
        let name = try #require(place.database.split(separator: "=").last)
        let cluster = try await PostgreSQLCluster.shared()
        let isArmed = Mutex(false)
        let store = try await place.open(direct: true) { (step) throws(NameStoreError) in
            guard step == .beforeCommit, isArmed.withLock({ $0 }) else { return }
            isArmed.withLock { $0 = false }
            let ended = DispatchSemaphore(value: 0)
            // Ends with the statement; the store's own thread waits for it.
            Task {
                try? await cluster.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '\(name)'"
                )
                ended.signal()
            }
            _ = ended.wait(timeout: .now() + 20)
        }
        _ = try await Self.register(1, in: store)
        isArmed.withLock { $0 = true }
        let error = await #expect(throws: NameStoreError.self) { try await Self.register(2, in: store) }
        guard case .unavailable? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let again = try await Self.insist(2, in: store)
        #expect(again.isInserted)
        try await Self.expect([1, 2], in: store)
        await store.close()
        let reopened = try await place.open(direct: true)
        #expect(reopened.replay == LogReplayReport())
        await reopened.close()
    }

    @Test func `a database that is killed again and again loses nothing that was acknowledged`() async throws {
        let cluster = try await PostgreSQLCluster.start()
        let database = try await cluster.makeDatabase()
        let folder = try TemporaryFolder(named: "pgloss")
        let configuration = PostgreSQLStoreConfiguration(
            connection: database,
            logPath: folder.path + "/registrations.log"
        )
        let store = try await SQLNameStore.postgreSQL(configuration)
        let acknowledged = Mailbox<Int>()
        for round in 0..<3 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<8 {
                    group.addTask {
                        for number in 0..<500 {
                            let number = (round * 8 + worker) * 1_000 + number
                            guard (try? await Self.register(number, in: store)) != nil else { return }
                            acknowledged.post(number)
                        }
                    }
                }
                let before = acknowledged.all.count
                try await eventually(within: .seconds(30), every: .milliseconds(2), "registrations are on their way") {
                    acknowledged.all.count > before + 20 ? () : nil
                }
                try await cluster.killAndRestart()
                try await group.waitForAll()
            }
            let known = Set(acknowledged.all)
            let next = try await Self.insist(known.max().map { $0 + 1 } ?? 0, in: store)
            #expect(next.isInserted || next.isIdentical)
            for number in known {
                // Connections for reading are opened again, too.
                let found = try await eventually(
                    within: .seconds(30),
                    every: .milliseconds(20),
                    "a look-up is answered"
                ) {
                    try? await store.find(Sample.name(number))
                }
                #expect(found.record.account == Sample.account(number))
            }
        }
        let last = try await store.read { try $0.lastLocalEntry() }
        let records = try await store.read { try $0.nameRecords(after: nil, limit: 20_000) }
        let entries = try await store.read { try $0.localLog(from: 1, limit: 20_000) }
        #expect(Set(entries.map(\.operation.name)).count == entries.count)
        #expect(Set(entries.map(\.operation.name)) == Set(records.map(\.name)))
        let queued = try await store.read { try $0.outboxCounts() }
        #expect(queued == [.queued: entries.count])
        await store.close()
        let reopened = try await SQLNameStore.postgreSQL(configuration)
        #expect(reopened.replay == LogReplayReport())
        let same = try await reopened.read { try $0.lastLocalEntry() }
        #expect(same == last)
        await reopened.close()
    }

    private static func expect(_ numbers: [Int], in store: SQLNameStore) async throws {
        let records = try await store.read { try $0.nameRecords(after: nil, limit: 100) }
        #expect(records.map(\.account) == numbers.map { Sample.account($0) })
        let entries = try await store.read { try $0.localLog(from: 1, limit: 100) }
        #expect(entries.map(\.operation.name) == (try numbers.map { try Sample.name($0) }))
    }

    @Test(.enabled(if: Peers.apus != nil, "the command apus is not built"))
    func `the command serves from PostgreSQL, and finds its names again`() async throws {
        let cluster = try await PostgreSQLCluster.shared()
        let name = try #require(try await cluster.makeDatabase().split(separator: "=").last)
        let folder = try TemporaryFolder(named: "pgloss")
        let options = ["--store", "postgres:///\(name)?host=\(cluster.path)&user=names"]
        let body = try Person.ana.body(for: "alice")
        let first = try await ServerProcess.start(options, folder: folder.path)
        #expect(await first.post("/name/alice", text: body).status == 200)
        await first.kill()
        let second = try await ServerProcess.start(options, folder: folder.path)
        let found = await second.get("/name/alice")
        #expect(found.body["addr"]?.string == Person.ana.address)
        let reverse = await second.get("/addr/\(Person.ana.address)")
        #expect(reverse.body["name"] == "alice")
        #expect(await second.post("/name/alice", text: body).status == 200)
        #expect(await second.post("/name/alice", text: try Person.ben.body(for: "alice")).status == 403)
        await second.stop()
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/names.sqlite"))
    }
}
