import GRDBSQLite
import Glibc
import NameRegistry
import NameServer
import Runtime
import Synchronization

/// Fills a store with names, 2,000 in a transaction.
struct Filling {
    let path: String

    func run(count: Int) async throws {
        let store = try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: path))
        let begin = SystemTime().now
        for start in stride(from: 0, to: count, by: 2_000) {
            try await store.write { writer in
                for number in start..<min(count, start + 2_000) {
                    guard let registration = Sample.registration(number) else { continue }
                    _ = try writer.append(registration, chained: false, at: SystemTime().wallTime)
                }
            }
        }
        await store.close()
        let seconds = (SystemTime().now - begin) / .seconds(1)
        Program.answer(["names": Double(count), "per_second": Double(count) / seconds])
    }
}

/// Looks up random names, many at a time.
struct Finding {
    let path: String
    let count: Int

    func run(seconds: Int, flight: Int) async throws {
        let store = try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: path))
        let (count, end) = (count, SystemTime().now + .seconds(seconds))
        let (begin, work) = (SystemTime().now, Program.processorTime)
        let found = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<flight {
                group.addTask {
                    var numbers = Randomness.seeded(UInt64(task))
                    var found = 0
                    while SystemTime().now < end {
                        guard let name = Sample.name(Int.random(in: 0..<count, using: &numbers)) else { continue }
                        if try await store.find(name)?.evidence != nil { found += 1 }
                    }
                    return found
                }
            }
            return try await group.reduce(0, +)
        }
        let time = (SystemTime().now - begin) / .seconds(1)
        let memory = Program.memory
        Program.answer([
            "per_second": Double(found) / time, "microseconds": (Program.processorTime - work) / Double(found) * 1e6,
            "resident": memory.resident, "anonymous": memory.anonymous,
        ])
        await store.close()
    }
}

/// Registers names, each task one after the other.
struct Registering {
    let path: String

    func run(seconds: Int, flight: Int, group size: Int) async throws {
        var configuration = SQLiteStoreConfiguration(path: path)
        configuration.limits.groupSize = size
        let store = try await SQLNameStore.sqlite(configuration)
        let samples = (0..<flight).map { task in
            (0..<(40_000 / flight)).compactMap { Sample.registration(task * 1_000_000 + $0, prefix: "new-\(size)-") }
        }
        let (begin, end) = (SystemTime().now, SystemTime().now + .seconds(seconds))
        try await withThrowingDiscardingTaskGroup { group in
            for sample in samples {
                group.addTask {
                    for registration in sample where SystemTime().now < end {
                        _ = try await store.register(registration, chained: false, at: SystemTime().wallTime)
                    }
                }
            }
        }
        let time = (SystemTime().now - begin) / .seconds(1)
        let statistics = store.statistics
        Program.answer([
            "per_second": Double(statistics.registrations) / time,
            "commits_per_second": Double(statistics.commits) / time,
        ])
        await store.close()
    }
}

/// The machine's limit for look-ups: the same statement in a plain loop.
struct StatementLoop {
    let path: String
    let count: Int

    func run(seconds: Int) throws {
        var handle: OpaquePointer?
        sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nil)
        sqlite3_exec(handle, "PRAGMA cache_size = -16384; BEGIN", nil, nil, nil)
        var statement: OpaquePointer?
        let text = """
            SELECT names.owner, names.addr, evidence.spki, evidence.sig
            FROM names LEFT JOIN evidence ON evidence.id = names.evidence_id WHERE names.name = ?1
            """
        sqlite3_prepare_v2(handle, text, -1, &statement, nil)
        var (numbers, found, sum) = (Randomness.seeded(1), 0, 0)
        let (begin, end) = (SystemTime().now, SystemTime().now + .seconds(seconds))
        while SystemTime().now < end {
            for _ in 0..<100 {
                let name = "user-\(Int.random(in: 0..<count, using: &numbers))"
                sqlite3_bind_text(statement, 1, name, -1, unsafeBitCast(-1, to: sqlite3_destructor_type.self))
                if sqlite3_step(statement) == SQLITE_ROW {
                    found += 1
                    sum += Int(sqlite3_column_bytes(statement, 2))
                }
                sqlite3_reset(statement)
            }
        }
        guard sum > 0 else { exit(1) }
        Program.answer(["per_second": Double(found) / ((SystemTime().now - begin) / .seconds(1))])
        sqlite3_finalize(statement)
        sqlite3_close(handle)
    }
}

/// The machine's limit for commits: a line appended and synchronized.
struct SyncLoop {
    let folder: String

    func run(seconds: Int) throws {
        let path = folder + "/sync"
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND, 0o600)
        defer {
            close(descriptor)
            unlink(path)
        }
        let line = [UInt8](repeating: 0x61, count: 1_700)
        var count = 0
        let (begin, end) = (SystemTime().now, SystemTime().now + .seconds(seconds))
        while SystemTime().now < end {
            guard write(descriptor, line, line.count) == line.count, fdatasync(descriptor) == 0 else { exit(1) }
            count += 1
        }
        Program.answer(["per_second": Double(count) / ((SystemTime().now - begin) / .seconds(1))])
    }
}

/// Writes a dump as an old server had it, without evidence: checking signatures is measured apart.
struct Dumping {
    let path: String

    func run(count: Int) throws {
        guard let file = fopen(path, "w") else { exit(1) }
        fputs("[\n", file)
        for number in 0..<count {
            guard let sample = Sample.registration(number) else { continue }
            let addresses = "\"addr\": \"0x\(sample.account.hex)\", \"owner\": \"\(sample.owner.hex)\""
            fputs("{\"name\": \"\(sample.name)\", \(addresses)},\n", file)
        }
        fputs("]\n", file)
        fclose(file)
        Program.answer(["names": Double(count)])
    }
}

/// Imports a dump.
struct Importing {
    let path: String
    let dump: String

    func run() async throws {
        let store = try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: path))
        let begin = SystemTime().now
        let report = try await NameImport(into: store).run(path: dump)
        let time = (SystemTime().now - begin) / .seconds(1)
        let memory = Program.memory
        Program.answer([
            "names": Double(report.inserted), "per_second": Double(report.inserted) / time,
            "resident": memory.resident, "anonymous": memory.anonymous,
        ])
        await store.close()
    }
}
