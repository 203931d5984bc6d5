import Ethereum
import NameRegistry
import Runtime

// What waits for the chain, what contradicts it, and settings.
extension StoreTransaction {
    private static let outboxColumns = """
        SELECT id, log_seq, state, nonce, tx, tx_hash, sent_at, attempts, next_try, error FROM outbox
        """
    private static let outboxOfSequence = SQLStatement("\(outboxColumns) WHERE log_seq = ?1")
    private static let counts = SQLStatement("SELECT state, count(*) FROM outbox GROUP BY state")
    private static let enqueue = SQLStatement(
        "INSERT INTO outbox (log_seq, kind, state, attempts) VALUES (?1, 1, 0, 0) ON CONFLICT (log_seq) DO NOTHING"
    )
    private static let dequeue = SQLStatement("DELETE FROM outbox WHERE log_seq = ?1 AND state = 0")
    private static let updateOutbox = SQLStatement(
        """
        UPDATE outbox SET state = ?2, nonce = ?3, tx = ?4, tx_hash = ?5, sent_at = ?6, attempts = ?7, next_try = ?8,
        error = ?9 WHERE id = ?1
        """
    )
    private static let conflictColumns = "SELECT id, name, local, chain, detected, resolution FROM conflicts"
    private static let allConflicts = SQLStatement("\(conflictColumns) ORDER BY id LIMIT ?1")
    private static let openConflicts = SQLStatement(
        "\(conflictColumns) WHERE resolution IS NULL ORDER BY id LIMIT ?1"
    )
    private static let insertConflict = SQLStatement(
        "INSERT INTO conflicts (name, local, chain, detected, resolution) VALUES (?1, ?2, ?3, ?4, ?5)"
    )
    private static let resolveConflict = SQLStatement("UPDATE conflicts SET resolution = ?2 WHERE id = ?1")
    private static let setting = SQLStatement("SELECT value FROM settings WHERE key = ?1")
    private static let insertSetting = SQLStatement(
        """
        INSERT INTO settings (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value
        """
    )
    private static let removeSetting = SQLStatement("DELETE FROM settings WHERE key = ?1")

    func outbox(
        in states: [OutboxEntry.State],
        after id: Int64,
        limit: Int
    ) throws(NameStoreError) -> [OutboxEntry] {
        guard !states.isEmpty else { return [] }
        let list = Set(states.map(\.rawValue)).sorted().map(String.init).joined(separator: ",")
        let statement = SQLStatement("\(Self.outboxColumns) WHERE state IN (\(list)) AND id > ?1 ORDER BY id LIMIT ?2")
        return try collect(try sql.run(statement, .integer(id), .integer(Int64(limit))), outboxEntry)
    }

    func outboxEntry(localSequence: UInt64) throws(NameStoreError) -> OutboxEntry? {
        try collect(try sql.run(Self.outboxOfSequence, SQLValue(localSequence)), outboxEntry).first
    }

    private func outboxEntry(_ values: [SQLValue]) throws(NameStoreError) -> OutboxEntry {
        var row = SQLRow(values)
        let (id, sequence) = (try row.integer(), try row.number())
        guard let state = OutboxEntry.State(rawValue: UInt8(clamping: try row.integer())) else {
            throw .damaged(reason: "Entry \(id) of the outbox has an unknown state")
        }
        return OutboxEntry(
            id: id,
            localSequence: sequence,
            state: state,
            nonce: try row.optionalNumber(),
            transaction: try row.optionalBytes(),
            transactionHash: try row.optionalWord(),
            sentAt: try row.optionalTime(),
            attempts: Int(try row.integer()),
            nextTry: try row.optionalTime(),
            error: try row.optionalText()
        )
    }

    func outboxCounts() throws(NameStoreError) -> [OutboxEntry.State: Int] {
        var counts: [OutboxEntry.State: Int] = [:]
        for values in try sql.run(Self.counts).rows {
            var row = SQLRow(values)
            guard let state = OutboxEntry.State(rawValue: UInt8(clamping: try row.integer())) else { continue }
            counts[state] = Int(try row.integer())
        }
        return counts
    }

    func enqueue(localSequence: UInt64) throws(NameStoreError) {
        _ = try sql.run(Self.enqueue, SQLValue(localSequence))
    }

    /// Takes an operation out of the outbox that was never sent.
    func dequeue(localSequence: UInt64) throws(NameStoreError) {
        _ = try sql.run(Self.dequeue, SQLValue(localSequence))
    }

    func update(_ entry: OutboxEntry) throws(NameStoreError) {
        let result = try sql.run(
            Self.updateOutbox,
            .integer(entry.id),
            .integer(Int64(entry.state.rawValue)),
            SQLValue(entry.nonce),
            SQLValue(entry.transaction),
            SQLValue(entry.transactionHash),
            SQLValue(entry.sentAt),
            .integer(Int64(entry.attempts)),
            SQLValue(entry.nextTry),
            SQLValue(entry.error)
        )
        guard result.changes == 1 else { throw .damaged(reason: "The outbox has no entry \(entry.id)") }
    }

    func conflicts(unresolvedOnly: Bool, limit: Int) throws(NameStoreError) -> [NameConflict] {
        let statement = unresolvedOnly ? Self.openConflicts : Self.allConflicts
        return try collect(try sql.run(statement, .integer(Int64(limit)))) { (values) throws(NameStoreError) in
            var row = SQLRow(values)
            return NameConflict(
                id: try row.integer(),
                name: try row.name(),
                local: try row.text(),
                chain: try row.text(),
                detected: try row.time(),
                resolution: try row.optionalText()
            )
        }
    }

    func append(_ conflict: NameConflict) throws(NameStoreError) {
        _ = try sql.run(
            Self.insertConflict,
            SQLValue(conflict.name),
            .text(conflict.local),
            .text(conflict.chain),
            SQLValue(conflict.detected),
            SQLValue(conflict.resolution)
        )
    }

    func resolve(conflict: Int64, as resolution: String) throws(NameStoreError) {
        _ = try sql.run(Self.resolveConflict, .integer(conflict), .text(resolution))
    }

    func setting(_ key: String) throws(NameStoreError) -> String? {
        guard case .text(let value)? = try sql.run(Self.setting, .text(key)).rows.first?.first else { return nil }
        return value
    }

    func set(_ value: String?, for key: String) throws(NameStoreError) {
        if let value {
            _ = try sql.run(Self.insertSetting, .text(key), .text(value))
        } else {
            _ = try sql.run(Self.removeSetting, .text(key))
        }
    }
}
