import Ethereum
import NameRegistry
import Runtime

extension StoreTransaction: NameStoreWriter {
    private static let insertName = SQLStatement(
        """
        INSERT INTO names (name, owner, addr, evidence, status, state, block, created, evidence_id)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, (SELECT id FROM evidence WHERE digest = ?4))
        """
    )
    private static let putName = SQLStatement(
        """
        INSERT INTO names (name, owner, addr, evidence, status, state, block, created, evidence_id)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, (SELECT id FROM evidence WHERE digest = ?4))
        ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, addr = excluded.addr, evidence = excluded.evidence,
        status = excluded.status, state = excluded.state, block = excluded.block, evidence_id = excluded.evidence_id
        """
    )
    private static let insertEvidence = SQLStatement(
        "INSERT INTO evidence (digest, spki, sig) VALUES (?1, ?2, ?3) ON CONFLICT (digest) DO NOTHING"
    )
    private static let deleteName = SQLStatement("DELETE FROM names WHERE name = ?1")
    private static let updateState = SQLStatement("UPDATE names SET state = ?2, block = ?3 WHERE name = ?1")

    func append(
        _ registration: Registration,
        chained: Bool,
        at time: WallTime
    ) throws(NameStoreError) -> RegistrationOutcome {
        let record = NameRecord(registration)
        if let existing = try find(registration.name) {
            let isSame = existing.record.account == record.account && existing.record.owner == record.owner
            return isSame ? .identical(existing) : .nameTaken(existing)
        }
        if let other = try find(registration.account) { return .accountTaken(other) }
        let stored = StoredName(
            record: record,
            evidence: registration.evidence,
            state: .accepted,
            block: nil,
            created: time
        )
        if let evidence = registration.evidence { try put(evidence, digest: record.evidenceDigest) }
        _ = try sql.run(Self.insertName, values(of: stored))
        try log(.register, record, registration.evidence, chained: chained, at: time)
        return .inserted(stored)
    }

    func append(
        _ change: NameChange,
        of name: Name,
        chained: Bool,
        at time: WallTime
    ) throws(NameStoreError) -> NameChangeOutcome {
        guard var stored = try find(name) else { return .unknown }
        guard !stored.record.isWithdrawn else { return .withdrawn(stored) }
        let kind: JournalOperation.Kind
        switch change {
        case .account(let account, let evidence):
            if let other = try find(account), other.record.name != name { return .accountTaken(other) }
            kind = .address
            stored.evidence = evidence
        case .owner: kind = .transfer
        case .release:
            kind = .release
            stored.evidence = nil
        }
        stored.record = stored.record.changed(by: change)
        stored.state = .accepted
        stored.block = nil
        try put(stored)
        try log(kind, stored.record, stored.evidence, chained: chained, at: time)
        return .changed(stored)
    }

    /// Puts an operation at the end of the local log, and its line before the commit.
    private func log(
        _ kind: JournalOperation.Kind,
        _ record: NameRecord,
        _ evidence: NameEvidence?,
        chained: Bool,
        at time: WallTime
    ) throws(NameStoreError) {
        let tail = try tail()
        let holdsAccount = kind == .register || kind == .address
        let operation = JournalOperation(
            sequence: tail.sequence + 1,
            kind: kind,
            name: record.name,
            owner: record.owner,
            account: holdsAccount ? record.account : nil,
            evidenceDigest: holdsAccount ? record.evidenceDigest : .zero
        )
        let entry = LocalLogEntry(operation: operation, time: time, head: operation.head(after: tail.head))
        try insert(entry, chained: chained)
        lines.append(.entry(LogEntry(entry: entry, evidence: holdsAccount ? evidence : nil, isChained: chained)))
    }

    func put(_ record: StoredName) throws(NameStoreError) {
        if let account = record.record.account, let other = try find(account), other.record.name != record.record.name {
            throw .damaged(reason: "The account of \(record.record.name) has the name \(other.record.name)")
        }
        if let evidence = record.evidence { try put(evidence, digest: record.record.evidenceDigest) }
        _ = try sql.run(Self.putName, values(of: record))
    }

    func put(_ evidence: NameEvidence) throws(NameStoreError) {
        try put(evidence, digest: evidence.digest)
    }

    private func put(_ evidence: NameEvidence, digest: Word) throws(NameStoreError) {
        _ = try sql.run(
            Self.insertEvidence,
            SQLValue(digest),
            .bytes(evidence.publicKey),
            .bytes(evidence.signature)
        )
    }

    func setState(_ state: RegistrationState, block: UInt64?, of name: Name) throws(NameStoreError) {
        _ = try sql.run(Self.updateState, SQLValue(name), .integer(Int64(state.rawValue)), SQLValue(block))
    }

    func remove(unacknowledged name: Name) throws(NameStoreError) {
        try delete(name)
        guard let sequence = try openRegistration(of: name) else { return }
        try setUndone(sequence)
        lines.append(.undone(sequence))
    }

    func delete(_ name: Name) throws(NameStoreError) {
        _ = try sql.run(Self.deleteName, SQLValue(name))
    }

    private func values(of stored: StoredName) -> [SQLValue] {
        let record = stored.record
        return [
            SQLValue(record.name), SQLValue(record.owner), SQLValue(record.account),
            SQLValue(digest: record.evidenceDigest), .integer(record.isWithdrawn ? 2 : 1),
            .integer(Int64(stored.state.rawValue)), SQLValue(stored.block), SQLValue(stored.created),
        ]
    }
}

extension NameRecord {
    /// The record after an owner's change.
    func changed(by change: NameChange) -> NameRecord {
        switch change {
        case .account(let account, let evidence):
            NameRecord(name: name, owner: owner, account: account, evidenceDigest: evidence.digest)
        case .owner(let owner):
            NameRecord(name: name, owner: owner, account: account, evidenceDigest: evidenceDigest)
        case .release:
            NameRecord(name: name, owner: Self.tombstone, account: nil, evidenceDigest: .zero)
        }
    }
}
