import Ethereum
import NameRegistry

/// How a database and its registrations' log were brought together.
public struct LogReplayReport: Hashable, Sendable {
    /// Operations that the database did not have.
    public var applied = 0
    /// Operations of the log that were never acknowledged, because the database has others in their place.
    public var superseded = 0
    /// Operations that contradict a record; see ``NameStoreReader/conflicts(unresolvedOnly:limit:)``.
    public var conflicting = 0
    /// Operations that the log did not have.
    public var appended = 0
    /// Bytes of a last line that was never finished.
    public var cutBytes = 0

    public init() {}
}

/// Brings a database and its registrations' log together; see ``RegistrationLog`` for the rule.
///
/// Wants an open transaction that excludes other writers, commits it after each batch, and leaves an open one behind.
struct LogReplay {
    private static let batch = 2_000

    let log: RegistrationLog
    let sql: any SQLConnection
    /// Called after each batch.
    let progress: (@Sendable (LogReplayReport) -> Void)?

    private(set) var report = LogReplayReport()

    init(log: RegistrationLog, sql: any SQLConnection, progress: (@Sendable (LogReplayReport) -> Void)? = nil) {
        self.log = log
        self.sql = sql
        self.progress = progress
    }

    /// Everything that the one has and the other lacks.
    mutating func start() throws(NameStoreError) {
        report.cutBytes = try log.repairEnd()
        let transaction = StoreTransaction(sql)
        let tail = try transaction.tail()
        var anchor: (entry: LogEntry, end: Int)?
        if tail.sequence > 0 {
            var hasOlder = false
            anchor = try log.newest { (entry) throws(NameStoreError) in
                let sequence = entry.entry.operation.sequence
                guard sequence <= tail.sequence else { return false }
                hasOlder = true
                return try transaction.localLog(from: sequence, limit: 1).first?.head == entry.entry.head
            }
            guard anchor != nil || !hasOlder else {
                throw .damaged(reason: "\(log.path) belongs to another database")
            }
        }
        let last = try forward(from: anchor?.end ?? 0) ?? anchor?.entry.entry.operation.sequence ?? 0
        try appendMissing(after: last)
    }

    /// What another process has appended since the last turn.
    mutating func followUp() throws(NameStoreError) {
        report.cutBytes = try log.repairEnd()
        _ = try forward(from: log.settledLength)
    }

    /// Replays from an offset on, and returns the sequence number of the last operation that counts.
    private mutating func forward(from offset: Int) throws(NameStoreError) -> UInt64? {
        var transaction = StoreTransaction(sql)
        var last: UInt64?
        var superseded: [Range<Int>] = []
        var pending = 0
        try log.forEachLine(from: offset) { (line, range) throws(NameStoreError) in
            switch line {
            case .void: return
            case .undone(let sequence): try transaction.replayUndone(sequence)
            case .entry(let entry):
                switch try transaction.replay(entry) {
                case .present: break
                case .applied: report.applied += 1
                case .conflicting: report.conflicting += 1
                case .superseded:
                    superseded.append(range)
                    return
                }
                last = entry.entry.operation.sequence
            }
            pending += 1
            if pending == Self.batch {
                try sql.commit()
                try sql.beginWriting()
                transaction = StoreTransaction(sql)
                pending = 0
                progress?(report)
            }
        }
        report.superseded = superseded.count
        try log.void(superseded)
        try log.settle()
        return last
    }

    private mutating func appendMissing(after sequence: UInt64) throws(NameStoreError) {
        let transaction = StoreTransaction(sql)
        var next = sequence + 1
        while true {
            let entries = try transaction.localLines(from: next, limit: Self.batch)
            guard let last = entries.last else { return }
            var lines: [LogLine] = []
            for local in entries {
                let digest = local.entry.operation.evidenceDigest
                let evidence = digest.isZero ? nil : try transaction.evidence(digest)
                lines.append(.entry(LogEntry(entry: local.entry, evidence: evidence, isChained: local.isChained)))
                if local.isUndone { lines.append(.undone(local.entry.operation.sequence)) }
            }
            try log.append(lines, behind: transaction.tail())
            log.confirm()
            report.appended += entries.count
            next = last.entry.operation.sequence + 1
            progress?(report)
        }
    }
}
