import Ethereum
import GRDBSQLite
import Glibc
import NameRegistry
import NameServer
import Runtime

/// The machine's limit for filling a store: the same rows, 2,000 in a transaction, without rules, hashes and log.
struct InsertLoop {
    let path: String
    let signed: Bool

    private static let batch = 2_000

    func run(count: Int) async throws {
        // The store makes its tables.
        try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: path)).close()
        var handle: OpaquePointer?
        sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nil)
        sqlite3_exec(handle, "PRAGMA synchronous = FULL; PRAGMA cache_size = -16384", nil, nil, nil)
        let evidence = statement("INSERT INTO evidence (digest, spki, sig) VALUES (?1, ?2, ?3)", handle)
        let name = statement(
            """
            INSERT INTO names (name, owner, addr, evidence, evidence_id, status, state, created)
            VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, 0)
            """,
            handle
        )
        let entry = statement(
            """
            INSERT INTO local_log (seq, op, name, owner, addr, evidence, at, hash, chained)
            VALUES (?1, 1, ?2, ?3, ?4, ?5, 0, ?6, 0)
            """,
            handle
        )
        var seconds = 0.0
        for start in stride(from: 0, to: count, by: Self.batch) {
            let samples = (start..<min(count, start + Self.batch)).compactMap { Sample.registration($0) }
            let digests = samples.map { signed ? $0.evidenceDigest.bytes : [] }
            let begin = SystemTime().now
            sqlite3_exec(handle, "BEGIN IMMEDIATE", nil, nil, nil)
            for (index, sample) in samples.enumerated() {
                if signed, let proof = sample.evidence {
                    bind(digests[index], 1, evidence)
                    bind(proof.publicKey, 2, evidence)
                    bind(proof.signature, 3, evidence)
                    step(evidence)
                    sqlite3_bind_int64(name, 5, sqlite3_last_insert_rowid(handle))
                }
                let (owner, account) = (sample.owner.bytes, sample.account.bytes)
                bind(sample.name.text, 1, name)
                bind(owner, 2, name)
                bind(account, 3, name)
                bind(digests[index], 4, name)
                step(name)
                sqlite3_bind_int64(entry, 1, Int64(start + index + 1))
                bind(sample.name.text, 2, entry)
                bind(owner, 3, entry)
                bind(account, 4, entry)
                bind(digests[index], 5, entry)
                bind(sample.name.word.bytes, 6, entry)
                step(entry)
            }
            sqlite3_exec(handle, "COMMIT", nil, nil, nil)
            seconds += (SystemTime().now - begin) / .seconds(1)
        }
        for statement in [evidence, name, entry] { sqlite3_finalize(statement) }
        sqlite3_close(handle)
        Program.answer(["names": Double(count), "per_second": Double(count) / seconds])
    }

    private func statement(_ text: String, _ handle: OpaquePointer?) -> OpaquePointer? {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, text, -1, &statement, nil) == SQLITE_OK else { exit(1) }
        return statement
    }

    private func step(_ statement: OpaquePointer?) {
        guard sqlite3_step(statement) == SQLITE_DONE else { exit(1) }
        sqlite3_reset(statement)
    }

    /// Tells SQLite that it has to copy.
    private var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    private func bind(_ bytes: [UInt8], _ index: Int32, _ statement: OpaquePointer?) {
        guard !bytes.isEmpty else {
            sqlite3_bind_zeroblob(statement, index, 0)
            return
        }
        sqlite3_bind_blob(statement, index, bytes, Int32(bytes.count), copied)
    }

    private func bind(_ text: String, _ index: Int32, _ statement: OpaquePointer?) {
        sqlite3_bind_text(statement, index, text, -1, copied)
    }
}
