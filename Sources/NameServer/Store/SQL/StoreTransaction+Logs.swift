import Ethereum
import Keys
import NameRegistry
import Runtime

/// An entry of the local log with what only this server knows of it.
struct LocalLine {
    let entry: LocalLogEntry
    /// Whether it was meant for the chain.
    let isChained: Bool
    /// Whether it was taken back before anybody was told of it; it stays in the hash chain, but has no record.
    let isUndone: Bool
}

// The local log, and what is known of the chain.
extension StoreTransaction {
    private static let localColumns =
        "SELECT seq, op, name, owner, addr, evidence, at, hash, chained, undone FROM local_log"
    private static let localFrom = SQLStatement("\(localColumns) WHERE seq >= ?1 ORDER BY seq LIMIT ?2")
    private static let localLast = SQLStatement("\(localColumns) ORDER BY seq DESC LIMIT 1")
    private static let insertLocal = SQLStatement(
        """
        INSERT INTO local_log (seq, op, name, owner, addr, evidence, at, hash, chained)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
        """
    )
    private static let lastRegistration = SQLStatement(
        "SELECT seq FROM local_log WHERE name = ?1 AND op = 1 AND undone = 0 ORDER BY seq DESC LIMIT 1"
    )
    private static let undo = SQLStatement("UPDATE local_log SET undone = 1 WHERE seq = ?1")
    private static let chainColumns = """
        SELECT seq, op, name, owner, addr, evidence, block, block_hash, log_index, journal FROM chain_ops
        """
    private static let chainFrom = SQLStatement("\(chainColumns) WHERE seq >= ?1 ORDER BY seq LIMIT ?2")
    private static let chainOfName = SQLStatement("\(chainColumns) WHERE name = ?1 ORDER BY seq")
    private static let chainLast = SQLStatement("\(chainColumns) ORDER BY seq DESC LIMIT 1")
    private static let insertChain = SQLStatement(
        """
        INSERT INTO chain_ops (seq, op, name, owner, addr, evidence, block, block_hash, log_index, journal)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        """
    )
    private static let removeOperations = SQLStatement("DELETE FROM chain_ops WHERE block > ?1")
    private static let removeHeads = SQLStatement("DELETE FROM chain_head WHERE number > ?1")
    private static let heads = SQLStatement(
        "SELECT number, hash, parent, final FROM chain_head ORDER BY number DESC LIMIT ?1"
    )
    private static let insertHead = SQLStatement(
        """
        INSERT INTO chain_head (number, hash, parent, final) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (number) DO UPDATE SET hash = excluded.hash, parent = excluded.parent, final = excluded.final
        """
    )
    private static let trimHeads = SQLStatement(
        """
        DELETE FROM chain_head WHERE number NOT IN (SELECT number FROM chain_head ORDER BY number DESC LIMIT ?1)
        """
    )
    private static let finishHeads = SQLStatement("UPDATE chain_head SET final = 1 WHERE number <= ?1 AND final = 0")
    private static let finishNames = SQLStatement("UPDATE names SET state = 3 WHERE state = 2 AND block <= ?1")

    func localLog(from sequence: UInt64, limit: Int) throws(NameStoreError) -> [LocalLogEntry] {
        try localLines(from: sequence, limit: limit).map(\.entry)
    }

    func lastLocalEntry() throws(NameStoreError) -> LocalLogEntry? {
        try collect(try sql.run(Self.localLast), localEntry).first?.entry
    }

    /// Entries with what only this server knows of them.
    func localLines(from sequence: UInt64, limit: Int) throws(NameStoreError) -> [LocalLine] {
        try collect(try sql.run(Self.localFrom, SQLValue(sequence), .integer(Int64(limit))), localEntry)
    }

    private func localEntry(_ values: [SQLValue]) throws(NameStoreError) -> LocalLine {
        var row = SQLRow(values)
        let entry = LocalLogEntry(operation: try row.operation(), time: try row.time(), head: try row.word())
        return LocalLine(entry: entry, isChained: try row.integer() != 0, isUndone: try row.integer() != 0)
    }

    /// The newest registration of a name that counts.
    func openRegistration(of name: Name) throws(NameStoreError) -> UInt64? {
        guard let values = try sql.run(Self.lastRegistration, SQLValue(name)).rows.first else { return nil }
        var row = SQLRow(values)
        return try row.number()
    }

    func setUndone(_ sequence: UInt64) throws(NameStoreError) {
        _ = try sql.run(Self.undo, SQLValue(sequence))
    }

    func insert(_ entry: LocalLogEntry, chained: Bool) throws(NameStoreError) {
        let values = SQLValue.values(of: entry.operation)
        _ = try sql.run(
            Self.insertLocal,
            values + [SQLValue(entry.time), SQLValue(entry.head), SQLValue(chained)]
        )
        extend(to: LogTail(sequence: entry.operation.sequence, head: entry.head))
        if chained { try enqueue(localSequence: entry.operation.sequence) }
    }

    func chainOperations(from sequence: UInt64, limit: Int) throws(NameStoreError) -> [ChainOperation] {
        try collect(try sql.run(Self.chainFrom, SQLValue(sequence), .integer(Int64(limit))), chainOperation)
    }

    func chainOperations(of name: Name) throws(NameStoreError) -> [ChainOperation] {
        try collect(try sql.run(Self.chainOfName, SQLValue(name)), chainOperation)
    }

    func lastChainOperation() throws(NameStoreError) -> ChainOperation? {
        try collect(try sql.run(Self.chainLast), chainOperation).first
    }

    private func chainOperation(_ values: [SQLValue]) throws(NameStoreError) -> ChainOperation {
        var row = SQLRow(values)
        return ChainOperation(
            operation: try row.operation(),
            block: try row.number(),
            blockHash: try row.word(),
            logIndex: try row.number(),
            head: try row.word()
        )
    }

    func append(_ operations: [ChainOperation]) throws(NameStoreError) {
        for operation in operations {
            _ = try sql.run(
                Self.insertChain,
                SQLValue.values(of: operation.operation) + [
                    SQLValue(operation.block), SQLValue(operation.blockHash), SQLValue(operation.logIndex),
                    SQLValue(operation.head),
                ]
            )
        }
    }

    func removeChain(above block: UInt64) throws(NameStoreError) {
        _ = try sql.run(Self.removeOperations, SQLValue(block))
        _ = try sql.run(Self.removeHeads, SQLValue(block))
    }

    func chainHeads(limit: Int) throws(NameStoreError) -> [ChainHead] {
        try collect(try sql.run(Self.heads, .integer(Int64(limit)))) { (values) throws(NameStoreError) in
            var row = SQLRow(values)
            return ChainHead(
                number: try row.number(),
                hash: try row.word(),
                parent: try row.word(),
                isFinal: try row.integer() != 0
            )
        }
    }

    func append(_ head: ChainHead, keeping count: Int) throws(NameStoreError) {
        _ = try sql.run(
            Self.insertHead,
            SQLValue(head.number),
            SQLValue(head.hash),
            SQLValue(head.parent),
            SQLValue(head.isFinal)
        )
        _ = try sql.run(Self.trimHeads, .integer(Int64(count)))
    }

    func setFinal(upTo block: UInt64) throws(NameStoreError) {
        _ = try sql.run(Self.finishHeads, SQLValue(block))
        _ = try sql.run(Self.finishNames, SQLValue(block))
    }
}
