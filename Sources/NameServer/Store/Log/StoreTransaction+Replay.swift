import Ethereum
import Keys
import NameRegistry
import Runtime

/// What a line of the registrations' log meant for a database.
enum ReplayedLine {
    case present
    case applied
    /// The database has given the number to another operation, so this one was never acknowledged.
    case superseded
    /// The database has other content for the name or the account; both are kept as a conflict.
    case conflicting
}

extension StoreTransaction {
    /// Brings an operation of the log into the database, if it is not there; see ``RegistrationLog``.
    func replay(_ entry: LogEntry) throws(NameStoreError) -> ReplayedLine {
        let operation = entry.entry.operation
        let tail = try tail()
        if operation.sequence <= tail.sequence {
            let kept = try localLog(from: operation.sequence, limit: 1).first
            return kept?.head == entry.entry.head ? .present : .superseded
        }
        guard operation.sequence == tail.sequence + 1 else {
            throw .damaged(
                reason: """
                    The registrations' log goes on with operation \(operation.sequence), but the database ends with \
                    \(tail.sequence)
                    """
            )
        }
        guard operation.head(after: tail.head) == entry.entry.head else {
            throw .damaged(reason: "Operation \(operation.sequence) of the registrations' log has a wrong hash")
        }
        try insert(entry.entry, chained: entry.isChained)
        if let evidence = entry.evidence { try put(evidence) }
        return operation.kind == .register ? try replayRegistration(entry) : try replayChange(entry)
    }

    /// Takes a registration back, unless that was done, or the chain has confirmed its record since.
    func replayUndone(_ sequence: UInt64) throws(NameStoreError) {
        guard let local = try localLines(from: sequence, limit: 1).first, !local.isUndone,
            local.entry.operation.sequence == sequence
        else { return }
        let operation = local.entry.operation
        if let found = try find(operation.name), found.record.account == operation.account,
            found.record.owner == operation.owner
        {
            guard found.state == .accepted || found.state == .sent else { return }
            try delete(operation.name)
        }
        try setUndone(sequence)
        try dequeue(localSequence: sequence)
    }

    private func replayRegistration(_ entry: LogEntry) throws(NameStoreError) -> ReplayedLine {
        let operation = entry.entry.operation
        let record = NameRecord(
            name: operation.name,
            owner: operation.owner,
            account: operation.account,
            evidenceDigest: operation.evidenceDigest
        )
        if let existing = try find(operation.name) {
            return existing.record == record ? .applied : try conflict(entry, with: existing)
        }
        if let account = operation.account, let existing = try find(account) {
            return try conflict(entry, with: existing)
        }
        try put(
            StoredName(
                record: record,
                evidence: entry.evidence,
                state: .accepted,
                block: nil,
                created: entry.entry.time
            )
        )
        return .applied
    }

    private func replayChange(_ entry: LogEntry) throws(NameStoreError) -> ReplayedLine {
        let operation = entry.entry.operation
        guard var stored = try find(operation.name) else {
            if operation.kind == .release {
                try put(.withdrawn(operation.name, at: entry.entry.time))
                return .applied
            }
            throw .damaged(reason: "The registrations' log changes \(operation.name) before it was registered")
        }
        switch (operation.kind, operation.account, entry.evidence) {
        case (.address, let account?, let evidence?):
            if let other = try find(account), other.record.name != operation.name {
                return try conflict(entry, with: other)
            }
            stored.record = stored.record.changed(by: .account(account, evidence: evidence))
        case (.transfer, _, _): stored.record = stored.record.changed(by: .owner(operation.owner))
        case (.release, _, _): stored.record = stored.record.changed(by: .release)
        case (.register, _, _), (.address, _, _):
            throw .damaged(reason: "Operation \(operation.sequence) of the registrations' log is not whole")
        }
        stored.evidence = nil
        stored.state = .accepted
        stored.block = nil
        try put(stored)
        return .applied
    }

    private func conflict(_ entry: LogEntry, with existing: StoredName) throws(NameStoreError) -> ReplayedLine {
        let line = String(decoding: LogLine.entry(entry).bytes.dropLast(), as: UTF8.self)
        let record = existing.record
        var other = "{\"name\":\"\(record.name)\",\"owner\":\"\(record.owner.hash.hex)\""
        if let account = record.account { other += ",\"addr\":\"\(account.hex)\"" }
        try append(
            NameConflict(
                id: 0,
                name: entry.entry.operation.name,
                local: line,
                chain: other + "}",
                detected: entry.entry.time,
                resolution: nil
            )
        )
        return .conflicting
    }
}
