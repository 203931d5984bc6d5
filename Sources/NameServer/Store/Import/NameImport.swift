import NIOPosix
import NameRegistry
public import Runtime

/// Why a dump cannot be imported at all.
public enum NameImportError: Error, Equatable, Sendable {
    case unreadable(reason: String)
    /// Something that no dump has is at this byte.
    case noDump(offset: Int)
}

/// What an import has done.
public struct NameImportReport: Hashable, Sendable {
    /// Records that were read.
    public var records = 0
    public var inserted = 0
    /// Of these, how many have no evidence, because the dump has none or because it was bad.
    public var unsigned = 0
    /// Records that were there already.
    public var identical = 0
    public var malformed = 0
    public var badEvidence = 0
    public var nameTaken = 0
    public var accountTaken = 0
    /// How far the file was read, in bytes, and how long it is.
    public var position = 0
    public var byteCount = 0
    /// Where the import went on, when an earlier one of the same file did not come to its end.
    public var resumedAt = 0
    /// Whether the end of the list was seen; otherwise the file was cut off.
    public var isWhole = false

    public init() {}
}

/// Brings the dump of an old server into a store.
///
/// Each record's evidence is checked again. Records are registered in transactions of many, as anything else that is
/// registered: in the registrations' log too, and never over a name that is there. The place in the file is kept in the same
/// transactions, so an import that was interrupted goes on where it was.
///
/// Source: names protocol, "Dumps of old servers".
public struct NameImport: Sendable {
    /// What happens to a record whose evidence is bad.
    public enum BadEvidence: Sendable {
        /// It is registered without evidence.
        case unsigned
        /// It is left out.
        case refuse
    }

    public struct Options: Sendable {
        public var badEvidence = BadEvidence.refuse
        /// Whether evidence is checked; otherwise it is taken as it is.
        public var verifies = true
        /// Whether names go on to the chain.
        public var chained = false
        /// Records in a transaction.
        public var batch = 2_000
        /// Whether an earlier import of the same file is continued.
        public var resumes = true

        public init() {}
    }

    private let store: any NameStore
    private let options: Options
    private let time: any TimeSource
    private let pool = NIOThreadPool.singleton

    public init(into store: any NameStore, options: Options = Options(), time: any TimeSource = SystemTime()) {
        self.store = store
        self.options = options
        self.time = time
    }

    /// Imports a file; problems are reported one by one, with what the record says its name is.
    ///
    /// Throws ``NameImportError`` or ``NameStoreError``; what was imported before stays.
    public func run(
        path: String,
        progress: (NameImportReport) -> Void = { _ in },
        problem: (String, DumpProblem) -> Void = { _, _ in }
    ) async throws -> NameImportReport {
        var source = try await pool.runIfActive { [options] in
            try DumpSource(path: path, offset: 0, verifies: options.verifies)
        }
        let key = "import-\(source.fingerprint)"
        var report = NameImportReport()
        if options.resumes, let kept = try await store.read({ try $0.setting(key) }).flatMap({ Int($0) }) {
            report.resumedAt = kept
            source = try await pool.runIfActive { [options] in
                try DumpSource(path: path, offset: kept, verifies: options.verifies)
            }
        }
        report.byteCount = source.byteCount
        while true {
            try Task.checkCancellation()
            let batch = try await source.next(options.batch, on: pool)
            if !batch.records.isEmpty { try await write(batch, key: key, to: &report, problem) }
            report.position = batch.end
            report.isWhole = batch.isWhole
            progress(report)
            if batch.isLast { break }
        }
        try await store.write { try $0.set(nil, for: key) }
        return report
    }

    private func write(
        _ batch: DumpBatch,
        key: String,
        to report: inout NameImportReport,
        _ problem: (String, DumpProblem) -> Void
    ) async throws {
        let (records, end, options, now) = (batch.records, batch.end, options, time.wallTime)
        let outcomes = try await store.write { writer in
            let outcomes = try records.map { record -> RegistrationOutcome? in
                guard let registration = record.registration, record.problem == nil || options.badEvidence == .unsigned
                else { return nil }
                return try writer.append(registration, chained: options.chained, at: now)
            }
            try writer.set(String(end), for: key)
            return outcomes
        }
        report.records += records.count
        for (record, outcome) in zip(records, outcomes) {
            if let found = record.problem {
                if found == .malformed { report.malformed += 1 } else { report.badEvidence += 1 }
                problem(record.label, found)
            }
            switch outcome {
            case .inserted?:
                report.inserted += 1
                if record.registration?.evidence == nil { report.unsigned += 1 }
            case .identical?: report.identical += 1
            case .nameTaken?:
                report.nameTaken += 1
                problem(record.label, .nameTaken)
            case .accountTaken(let other)?:
                report.accountTaken += 1
                problem(record.label, .accountTaken(other.record.name))
            case nil: break
            }
        }
    }
}
