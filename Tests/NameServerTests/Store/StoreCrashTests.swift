import Foundation
import Keys
import NameRegistry
import NameServer
import TestSupport
import Testing

/// Processes that die, and media without space.
@Suite(.timeLimit(.minutes(2)), .enabled(if: Peers.nameStorePeer != nil, "the program NameStorePeer is not built"))
struct StoreCrashTests {
    static let deaths: [StoreStep] = [.beforeLogWrite, .afterLogWrite, .afterLogSync, .beforeCommit, .afterCommit]

    @Test(arguments: StoreEngine.available, deaths)
    func `what was acknowledged before a kill is there and unique`(
        _ engine: StoreEngine,
        _ step: StoreStep
    ) async throws {
        let place = try await StorePlace(engine)
        var acknowledged: Set<String> = []
        for (life, commit) in [1, 2, 2].enumerated() {
            let peer = try StorePeer(place, dies: step, at: commit)
            // A quick machine takes them all with one commit; then more come until the end is reached.
            var exit: ChildProcess.Exit?
            for number in 0..<600 where exit == nil {
                peer.process.send("name-\(life)-\(number)")
                if number >= 60 { exit = await peer.process.waitForExit(within: .milliseconds(100)) }
            }
            #expect(exit == .signal(SIGKILL))
            await peer.process.waitForOutputEnd(within: .seconds(60))
            acknowledged.formUnion(peer.acknowledged)
        }
        try await expect(acknowledged, in: place)
    }

    @Test func `two processes share a database and its log`() async throws {
        let place = try await StorePlace(.sqlite)
        let peers = [try StorePeer(place), try StorePeer(place), try StorePeer(place, dies: .beforeCommit, at: 3)]
        for number in 0..<200 {
            for (index, peer) in peers.enumerated() { peer.process.send("name-\(index)-\(number)") }
        }
        for peer in peers {
            peer.process.closeInput()
            _ = await peer.process.waitForExit(within: .seconds(60))
            await peer.process.waitForOutputEnd(within: .seconds(60))
        }
        let acknowledged = peers.map { Set($0.acknowledged) }
        #expect(acknowledged[0].count == 200)
        #expect(acknowledged[1].count == 200)
        try await expect(acknowledged.reduce([]) { $0.union($1) }, in: place)
    }

    /// Where the space ends: under the log, under the database, or under both.
    enum Full: String, CaseIterable, Sendable {
        case log
        case database
        case both
    }

    @Test(.enabled(if: geteuid() == 0, "mounting a small file system needs root"), arguments: Full.allCases)
    func `a full disk refuses and loses nothing`(_ full: Full) async throws {
        let folder = try TemporaryFolder(named: "full")
        let small = try folder.folder("small")
        _ = try await run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small]).orThrow()
        do {
            let database = (full == .log ? folder.path : small) + "/names.sqlite"
            let log = (full == .database ? folder.path : small) + "/registrations.log"
            let configuration = SQLiteStoreConfiguration(path: database, logPath: log)
            let store = try await SQLNameStore.sqlite(configuration)
            var accepted: [Int] = []
            var refusals = 0
            for number in 0..<1_000 where refusals < 5 {
                do {
                    _ = try await store.register(Sample.registration(number), chained: false, at: Sample.time)
                    accepted.append(number)
                } catch NameStoreError.notWritable {
                    refusals += 1
                }
            }
            #expect(refusals == 5)
            #expect(accepted.count > 10)
            _ = try await run(["mount", "-o", "remount,size=16m", small]).orThrow()
            let later = try await store.register(Sample.registration(2_000), chained: false, at: Sample.time)
            #expect(later.isInserted)
            let count = try await store.read { try $0.recordCount() }
            #expect(count == accepted.count + 1)
            await store.close()
            let reopened = try await SQLNameStore.sqlite(configuration)
            #expect(reopened.replay == LogReplayReport())
            let again = try await reopened.read { try $0.records(after: nil, limit: 2_000) }
            #expect(Set(again.map(\.record.name)) == Set(try (accepted + [2_000]).map { try Sample.name($0) }))
            await reopened.close()
        } catch {
            _ = try await run(["umount", small])
            throw error
        }
        _ = try await run(["umount", small]).orThrow()
    }

    private func expect(_ acknowledged: Set<String>, in place: StorePlace) async throws {
        let store = try await place.open()
        for text in acknowledged {
            let name = try Vector.some(Name(canonical: text))
            let found = try await store.find(name)
            #expect(found?.record.account == InfoHash(hashing: text))
        }
        let records = try await store.read { try $0.nameRecords(after: nil, limit: 10_000) }
        let entries = try await store.read { try $0.localLog(from: 1, limit: 10_000) }
        #expect(Set(records.compactMap(\.account)).count == records.count)
        #expect(entries.map(\.operation.sequence) == (0..<entries.count).map { UInt64($0 + 1) })
        #expect(Set(entries.map(\.operation.name)) == Set(records.map(\.name)))
        let queued = try await store.read { try $0.outboxCounts() }
        #expect(queued == [.queued: entries.count])
        await store.close()
        try await place.expectSame(head: entries.last, names: [])
    }
}

/// A store in a process of its own.
private final class StorePeer: Sendable {
    let process: ChildProcess
    private let lines: Mailbox<String>

    init(_ place: StorePlace, dies step: StoreStep? = nil, at commit: Int = 0) throws {
        let program = try Vector.some(Peers.nameStorePeer)
        let lines = Mailbox<String>()
        self.lines = lines
        process = try ChildProcess(
            [program, place.engine.rawValue, place.databasePath, place.logPath, step?.rawValue ?? "-", "\(commit)"],
            hasInput: true,
            output: .lines { lines.post($0) }
        )
    }

    var acknowledged: [String] { lines.all.filter { $0 != "ready" } }
}
