import Ethereum
import Foundation
import Keys
import NameRegistry
import NameServer
import Runtime
import Synchronization
import TestSupport
import Testing

/// Lets steps fail while it is told to.
private final class Faults: Sendable {
    private let failing = Mutex<Set<StoreStep>>([])

    func set(_ steps: Set<StoreStep>) {
        failing.withLock { $0 = steps }
    }

    var steps: StoreSteps {
        { (step) throws(NameStoreError) in
            if self.failing.withLock({ $0.contains(step) }) { throw .notWritable(reason: "injected at \(step)") }
        }
    }
}

/// Media that fail: what was refused is nowhere, what was acknowledged is everywhere.
@Suite(.timeLimit(.minutes(2))) struct StoreFailureTests {
    static let steps: [StoreStep] = [.beforeLogWrite, .afterLogWrite, .afterLogSync, .beforeCommit]

    @Test(arguments: StoreEngine.available, steps)
    func `a failure before the commit refuses all and leaves nothing`(
        _ engine: StoreEngine,
        _ step: StoreStep
    ) async throws {
        let place = try await StorePlace(engine)
        let faults = Faults()
        let store = try await place.open(steps: faults.steps)
        _ = try await store.register(Sample.registration(1), chained: false, at: Sample.time)
        faults.set([step])
        await #expect(throws: NameStoreError.notWritable(reason: "injected at \(step)")) {
            try await store.register(Sample.registration(2), chained: false, at: Sample.time)
        }
        let refused = try await store.find(Sample.name(2))
        #expect(refused == nil)
        faults.set([])
        // Another registration takes the place of the refused one, in the log too.
        let next = try await store.register(Sample.registration(3, account: 2), chained: false, at: Sample.time)
        #expect(next.isInserted)
        let head = try await store.read { try $0.lastLocalEntry() }
        await store.close()
        try await place.expectSame(head: head, names: [1, 3])
    }

    @Test(arguments: StoreEngine.available, steps)
    func `a failure while a registration is taken back leaves it as it was`(
        _ engine: StoreEngine,
        _ step: StoreStep
    ) async throws {
        let place = try await StorePlace(engine)
        let faults = Faults()
        let store = try await place.open(steps: faults.steps)
        _ = try await store.register(Sample.registration(1), chained: false, at: Sample.time)
        let name = try Sample.name(1)
        faults.set([step])
        await #expect(throws: NameStoreError.self) { try await store.write { try $0.remove(unacknowledged: name) } }
        faults.set([])
        let kept = try await store.find(name)
        #expect(kept != nil)
        let head = try await store.read { try $0.lastLocalEntry() }
        await store.close()
        try await place.expectSame(head: head, names: [1])
    }

    @Test(arguments: StoreEngine.available)
    func `lines that cannot be withdrawn are cut off`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let faults = Faults()
        let store = try await place.open(steps: faults.steps)
        _ = try await store.register(Sample.registration(1), chained: false, at: Sample.time)
        let length = try place.logLength()
        faults.set([.beforeCommit, .beforeVoidWrite])
        await #expect(throws: NameStoreError.self) {
            try await store.register(Sample.registration(2), chained: false, at: Sample.time)
        }
        #expect(try place.logLength() == length)
        faults.set([])
        _ = try await store.register(Sample.registration(3), chained: false, at: Sample.time)
        let head = try await store.read { try $0.lastLocalEntry() }
        await store.close()
        try await place.expectSame(head: head, names: [1, 3])
    }

    @Test(arguments: StoreEngine.available)
    func `nothing is accepted while the fate of lines is open`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let faults = Faults()
        let store = try await place.open(steps: faults.steps)
        faults.set([.beforeCommit, .beforeVoidWrite, .beforeCut])
        await #expect(throws: NameStoreError.self) {
            try await store.register(Sample.registration(1), chained: false, at: Sample.time)
        }
        faults.set([.beforeVoidWrite, .beforeCut])
        await #expect(throws: NameStoreError.self) {
            try await store.register(Sample.registration(2), chained: false, at: Sample.time)
        }
        let waiting = try await store.find(Sample.name(2))
        #expect(waiting == nil)
        faults.set([])
        let next = try await store.register(Sample.registration(3, account: 1), chained: false, at: Sample.time)
        #expect(next.isInserted)
        let head = try await store.read { try $0.lastLocalEntry() }
        await store.close()
        try await place.expectSame(head: head, names: [3])
    }

    @Test(arguments: StoreEngine.available)
    func `refused lines that a dead process left behind come back only where their place is free`(
        _ engine: StoreEngine
    ) async throws {
        let place = try await StorePlace(engine)
        let faults = Faults()
        let dying = try await place.open(steps: faults.steps)
        _ = try await dying.register(Sample.registration(8), chained: false, at: Sample.time)
        faults.set([.beforeCommit, .beforeVoidWrite, .beforeCut])
        await #expect(throws: NameStoreError.self) {
            try await dying.register(Sample.registration(1), chained: false, at: Sample.time)
        }
        await dying.close()
        // A store with another log gives the number away.
        let other = try await place.open(log: "other.log")
        _ = try await other.register(Sample.registration(1, account: 5), chained: false, at: Sample.time)
        await other.close()
        let again = try await place.open()
        #expect(again.replay.superseded == 1)
        #expect(again.replay.applied == 0)
        let winner = try await again.find(Sample.name(1))
        let loser = try await again.find(Sample.account(1))
        #expect(winner?.record.account == Sample.account(5))
        #expect(loser == nil)
        let head = try await again.read { try $0.lastLocalEntry() }
        await again.close()
        try await place.expectSame(head: head, names: [8])
    }

    @Test(arguments: StoreEngine.available)
    func `a replayed line that contradicts a record becomes a conflict`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let faults = Faults()
        let dying = try await place.open(steps: faults.steps)
        faults.set([.beforeCommit, .beforeVoidWrite, .beforeCut])
        await #expect(throws: NameStoreError.self) {
            try await dying.register(Sample.registration(1), chained: false, at: Sample.time)
        }
        await dying.close()
        let other = try await place.open(log: "other.log")
        let record = NameRecord(
            name: try Sample.name(1),
            owner: Sample.owner(9),
            account: Sample.account(9),
            evidenceDigest: .zero
        )
        try await other.write { writer in
            try writer.put(StoredName(record: record, evidence: nil, state: .final, block: 5, created: Sample.time))
        }
        await other.close()
        let again = try await place.open()
        #expect(again.replay.conflicting == 1)
        let kept = try await again.find(Sample.name(1))
        #expect(kept?.record == record)
        let conflicts = try await again.read { try $0.conflicts(unresolvedOnly: true, limit: 9) }
        #expect(conflicts.map(\.name) == [try Sample.name(1)])
        await again.close()
    }

    @Test(arguments: StoreEngine.available)
    func `a last line without its end is cut off`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        _ = try await store.register(Sample.registration(1), chained: false, at: Sample.time)
        let head = try await store.read { try $0.lastLocalEntry() }
        await store.close()
        try place.appendToLog("{\"seq\":2,\"op\":1,\"name\":\"ab")
        let again = try await place.open()
        #expect(again.replay.cutBytes == 26)
        await again.close()
        try await place.expectSame(head: head, names: [1])
    }

    @Test(arguments: StoreEngine.available)
    func `a line in the middle that cannot be read stops the start`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        _ = try await store.register(Sample.registration(1), chained: false, at: Sample.time)
        await store.close()
        try place.appendToLog("{\"seq\":2,\"op\":9}\n")
        await #expect(throws: NameStoreError.self) { try await place.open() }
    }

    @Test(arguments: StoreEngine.available)
    func `a log of another database is refused`(_ engine: StoreEngine) async throws {
        let (place, other) = (try await StorePlace(engine), try await StorePlace(engine))
        for (place, number) in [(place, 1), (other, 2)] {
            let store = try await place.open()
            _ = try await store.register(Sample.registration(number), chained: false, at: Sample.time)
            await store.close()
        }
        try FileManager.default.removeItem(atPath: place.logPath)
        try FileManager.default.copyItem(atPath: other.logPath, toPath: place.logPath)
        let expected = NameStoreError.damaged(reason: "\(place.logPath) belongs to another database")
        await #expect(throws: expected) { try await place.open() }
    }

    @Test(arguments: StoreEngine.available)
    func `a log that was lost is written again`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        for number in 1...5 {
            _ = try await store.register(Sample.registration(number), chained: true, at: Sample.time)
        }
        let head = try await store.read { try $0.lastLocalEntry() }
        await store.close()
        let before = try String(contentsOfFile: place.logPath, encoding: .utf8)
        try FileManager.default.removeItem(atPath: place.logPath)
        let again = try await place.open()
        #expect(again.replay.appended == 5)
        await again.close()
        #expect(try String(contentsOfFile: place.logPath, encoding: .utf8) == before)
        try await place.expectSame(head: head, names: Array(1...5))
    }

    @Test func `a file that is no database is refused`() async throws {
        let place = try await StorePlace(.sqlite)
        try String(repeating: "no database ", count: 1_000).write(
            toFile: place.databasePath,
            atomically: true,
            encoding: .utf8
        )
        await #expect(throws: NameStoreError.damaged(reason: "SQLite: file is not a database")) {
            try await place.open()
        }
    }

    @Test func `an older copy of a database is brought forward from the log`() async throws {
        let place = try await StorePlace(.sqlite)
        let first = try await place.open()
        for number in 1...3 {
            _ = try await first.register(Sample.registration(number), chained: false, at: Sample.time)
        }
        await first.close()
        let copy = place.folder.path + "/copy"
        try FileManager.default.copyItem(atPath: place.databasePath, toPath: copy)
        let second = try await place.open()
        _ = try await second.register(Sample.registration(4), chained: true, at: Sample.time)
        let name = try Sample.name(2)
        _ = try await second.write { try $0.append(.release, of: name, chained: true, at: Sample.time) }
        let head = try await second.read { try $0.lastLocalEntry() }
        await second.close()
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: place.databasePath + suffix)
        }
        try FileManager.default.moveItem(atPath: copy, toPath: place.databasePath)
        let third = try await place.open()
        #expect(third.replay.applied == 2)
        let last = try await third.read { try $0.lastLocalEntry() }
        let withdrawn = try await third.find(name)
        let queued = try await third.read { try $0.outbox(in: [.queued], limit: 9).map(\.localSequence) }
        #expect(last == head)
        #expect(withdrawn?.record.isWithdrawn == true)
        #expect(queued == [4, 5])
        await third.close()
    }

    @Test(arguments: StoreEngine.available)
    func `a clock that goes backwards changes no order`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        for (number, seconds) in [5_000, -1, 0, 9_000_000_000, 1].enumerated() {
            let time = WallTime(seconds: Int64(seconds))
            _ = try await store.register(Sample.registration(number), chained: false, at: time)
        }
        let entries = try await store.read { try $0.localLog(from: 1, limit: 9) }
        #expect(entries.map(\.time.seconds) == [5_000, -1, 0, 9_000_000_000, 1])
        #expect(entries.map(\.operation.sequence) == [1, 2, 3, 4, 5])
        await store.close()
        try await place.expectSame(head: entries.last, names: [0, 1, 2, 3, 4])
    }
}

extension StorePlace {
    func logLength() throws -> Int {
        try Data(contentsOf: URL(fileURLWithPath: logPath)).count
    }

    func appendToLog(_ text: String) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: logPath))
        try file.seekToEnd()
        try file.write(contentsOf: Data(text.utf8))
        try file.close()
    }

    /// Opens the place again, and a new database from the log alone: both have the head, and the samples of these names.
    func expectSame(
        head: LocalLogEntry?,
        names: [Int],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let (reopened, rebuiltPlace) = (try await open(), try await StorePlace(engine))
        #expect(reopened.replay == LogReplayReport(), sourceLocation: sourceLocation)
        try FileManager.default.copyItem(atPath: logPath, toPath: rebuiltPlace.logPath)
        let rebuilt = try await rebuiltPlace.open()
        #expect(rebuilt.replay.applied == Int(head?.operation.sequence ?? 0), sourceLocation: sourceLocation)
        var contents: [[StoredName]] = []
        for store in [reopened, rebuilt] {
            let last = try await store.read { try $0.lastLocalEntry() }
            #expect(last == head, sourceLocation: sourceLocation)
            for number in names {
                let found = try await store.find(Sample.name(number))
                #expect(found?.evidence == Sample.evidence(number), sourceLocation: sourceLocation)
            }
            contents.append(try await store.read { try $0.records(after: nil, limit: 1_000) })
        }
        #expect(contents[0] == contents[1], sourceLocation: sourceLocation)
        await reopened.close()
        await rebuilt.close()
        withExtendedLifetime(rebuiltPlace) {}
    }
}
