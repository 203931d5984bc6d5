import Ethereum
import Keys
import NameRegistry
import Runtime

/// One transaction of a store, on the thread of its connection.
final class StoreTransaction {
    let sql: any SQLConnection
    /// What has to be in the registrations' log before this transaction may be committed.
    var lines: [LogLine] = []
    /// The end of the local log, once it was looked at.
    private var knownTail: LogTail?

    init(_ sql: any SQLConnection) {
        self.sql = sql
    }

    /// A point to go back to when a body throws.
    struct Mark {
        fileprivate let lines: Int
        fileprivate let tail: LogTail?
    }

    var mark: Mark { Mark(lines: lines.count, tail: knownTail) }

    func forget(since mark: Mark) {
        lines.removeLast(lines.count - mark.lines)
        knownTail = mark.tail
    }

    private static let lastEntry = SQLStatement("SELECT seq, hash FROM local_log ORDER BY seq DESC LIMIT 1")

    func tail() throws(NameStoreError) -> LogTail {
        if let knownTail { return knownTail }
        guard let values = try sql.run(Self.lastEntry).rows.first else { return LogTail(sequence: 0, head: .zero) }
        var row = SQLRow(values)
        return LogTail(sequence: try row.number(), head: try row.word())
    }

    func extend(to tail: LogTail) {
        knownTail = tail
    }
}

/// The end of a log: how many operations it has, and the hash over all of them.
struct LogTail: Hashable, Sendable {
    var sequence: UInt64
    var head: Word
}

extension StoreTransaction: NameStoreReader {
    // By its number, since a digest would cost a second search in another index.
    private static let columns = """
        names.name, names.owner, names.addr, names.evidence, names.state, names.block, names.created,
        evidence.spki, evidence.sig
        FROM names LEFT JOIN evidence ON evidence.id = names.evidence_id
        """
    private static let byName = SQLStatement("SELECT \(columns) WHERE names.name = ?1")
    private static let byAccount = SQLStatement("SELECT \(columns) WHERE names.addr = ?1")
    private static let afterName = SQLStatement("SELECT \(columns) WHERE names.name > ?1 ORDER BY names.name LIMIT ?2")
    private static let plainAfterName = SQLStatement(
        "SELECT name, owner, addr, evidence FROM names WHERE name > ?1 ORDER BY name LIMIT ?2"
    )
    private static let count = SQLStatement("SELECT count(*) FROM names")
    private static let evidenceByDigest = SQLStatement("SELECT spki, sig FROM evidence WHERE digest = ?1")

    func find(_ name: Name) throws(NameStoreError) -> StoredName? {
        guard let row = try sql.run(Self.byName, SQLValue(name)).rows.first else { return nil }
        return try storedName(row)
    }

    func find(_ account: InfoHash) throws(NameStoreError) -> StoredName? {
        guard let row = try sql.run(Self.byAccount, SQLValue(account)).rows.first else { return nil }
        return try storedName(row)
    }

    func evidence(_ digest: Word) throws(NameStoreError) -> NameEvidence? {
        guard let values = try sql.run(Self.evidenceByDigest, SQLValue(digest)).rows.first else { return nil }
        var row = SQLRow(values)
        return NameEvidence(publicKey: try row.bytes(), signature: try row.bytes())
    }

    func records(after name: Name?, limit: Int) throws(NameStoreError) -> [StoredName] {
        let result = try sql.run(Self.afterName, .text(name?.text ?? ""), .integer(Int64(limit)))
        return try collect(result) { (row) throws(NameStoreError) in try storedName(row) }
    }

    func nameRecords(after name: Name?, limit: Int) throws(NameStoreError) -> [NameRecord] {
        let result = try sql.run(Self.plainAfterName, .text(name?.text ?? ""), .integer(Int64(limit)))
        return try collect(result) { (values) throws(NameStoreError) in
            var row = SQLRow(values)
            return try record(&row)
        }
    }

    func recordCount() throws(NameStoreError) -> Int {
        guard case .integer(let count)? = try sql.run(Self.count).rows.first?.first else { return 0 }
        return Int(count)
    }

    private func record(_ row: inout SQLRow) throws(NameStoreError) -> NameRecord {
        NameRecord(
            name: try row.name(),
            owner: try row.owner(),
            account: try row.account(),
            evidenceDigest: try row.digest()
        )
    }

    private func storedName(_ values: [SQLValue]) throws(NameStoreError) -> StoredName {
        var row = SQLRow(values)
        let record = try record(&row)
        guard let state = RegistrationState(rawValue: UInt8(clamping: try row.integer())) else {
            throw .damaged(reason: "The name \(record.name) has an unknown state")
        }
        let block = try row.optionalNumber()
        let created = try row.time()
        var evidence: NameEvidence?
        if let publicKey = try row.optionalBytes(), let signature = try row.optionalBytes() {
            evidence = NameEvidence(publicKey: publicKey, signature: signature)
        } else if !record.evidenceDigest.isZero {
            // It may have come later than the name.
            evidence = try self.evidence(record.evidenceDigest)
        }
        return StoredName(record: record, evidence: evidence, state: state, block: block, created: created)
    }

    func collect<Value>(
        _ result: SQLResult,
        _ read: ([SQLValue]) throws(NameStoreError) -> Value
    ) throws(NameStoreError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(result.rows.count)
        for row in result.rows { values.append(try read(row)) }
        return values
    }
}
