import Foundation
public import Keys
public import NameRegistry
public import Runtime

/// A store of names in an SQL database, with the registrations' log beside it.
///
/// One thread writes, in groups that share a commit; one answers look-ups; one runs longer reads. What was acknowledged
/// is in the log and in the database, both on disk.
public final class SQLNameStore: NameStore {
    private let writes: JobQueue<WriteJob>
    private let lookups: JobQueue<Lookup>
    private let bodies: JobQueue<ReadBody>
    private let counters = StoreCounters()
    /// How the database and the log were brought together at the start.
    public let replay: LogReplayReport

    /// - Parameters:
    ///   - logPath: The registrations' log; `nil` only where nothing has to last.
    ///   - progress: Called while a database is filled from its log.
    ///   - steps: For tests that let a process die or a medium fail.
    ///   - open: Opens a connection; called on the threads that use it.
    package init(
        limits: NameStoreLimits,
        logPath: String?,
        progress: (@Sendable (LogReplayReport) -> Void)? = nil,
        steps: @escaping StoreSteps = { (_) throws(NameStoreError) in },
        open: @escaping @Sendable () throws(NameStoreError) -> any SQLConnection
    ) async throws(NameStoreError) {
        let (writes, lookups) = (
            JobQueue<WriteJob>(limit: limits.waitingWrites), JobQueue<Lookup>(limit: limits.waitingReads)
        )
        let (bodies, counters) = (JobQueue<ReadBody>(limit: limits.waitingReads), counters)
        (self.writes, self.lookups, self.bodies) = (writes, lookups, bodies)
        let started: Result<LogReplayReport, NameStoreError> = await withCheckedContinuation { continuation in
            Self.startThread("names-write") {
                let writer = StoreWriter(
                    queue: writes,
                    limits: limits,
                    logPath: logPath,
                    steps: steps,
                    counters: counters,
                    open: open
                )
                do throws(NameStoreError) {
                    let report = try writer.start(progress: progress)
                    continuation.resume(returning: .success(report))
                } catch {
                    continuation.resume(returning: .failure(error))
                    return
                }
                writer.run()
            }
        }
        replay = try started.get()
        Self.startThread("names-find") { LookupReader(queue: lookups, counters: counters, open: open).run() }
        Self.startThread("names-read") { BodyReader(queue: bodies, open: open).run() }
    }

    private static func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = name
        thread.start()
    }

    deinit {
        writes.close()
        lookups.close()
        bodies.close()
    }

    public var statistics: NameStoreStatistics {
        var statistics = counters.statistics
        statistics.waitingWrites = writes.count
        statistics.waitingReads = lookups.count + bodies.count
        return statistics
    }

    public func register(
        _ registration: Registration,
        chained: Bool,
        at time: WallTime
    ) async throws(NameStoreError) -> RegistrationOutcome {
        let result: Result<RegistrationOutcome, NameStoreError> = await withCheckedContinuation { answer in
            let job = WriteJob.registration(registration, chained: chained, time: time, answer)
            if let refusal = writes.push(job) { job.fail(refusal) }
        }
        return try result.get()
    }

    public func find(_ name: Name) async throws(NameStoreError) -> StoredName? {
        try await find { .name(name, $0) }
    }

    public func find(_ account: InfoHash) async throws(NameStoreError) -> StoredName? {
        try await find { .account(account, $0) }
    }

    private func find(_ lookup: (StoreAnswer<StoredName?>) -> Lookup) async throws(NameStoreError) -> StoredName? {
        let result: Result<StoredName?, NameStoreError> = await withCheckedContinuation { answer in
            let job = lookup(answer)
            if let refusal = lookups.push(job) { job.fail(refusal) }
        }
        return try result.get()
    }

    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (any NameStoreReader) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let job = ReadBody(
                run: { transaction in continuation.resume(with: Result { try body(transaction) }) },
                fail: { continuation.resume(throwing: $0) }
            )
            if let refusal = bodies.push(job) { job.fail(refusal) }
        }
    }

    public func write<Value: Sendable>(
        _ body: @escaping @Sendable (any NameStoreWriter) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let job = WriteJob.body(
                WriteBody(
                    run: { transaction in
                        let value = try body(transaction)
                        return { continuation.resume(returning: value) }
                    },
                    fail: { continuation.resume(throwing: $0) }
                )
            )
            if let refusal = writes.push(job) { job.fail(refusal) }
        }
    }

    public func close() async {
        writes.close()
        lookups.close()
        bodies.close()
    }
}
