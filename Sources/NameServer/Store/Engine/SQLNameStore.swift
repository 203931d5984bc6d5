import Foundation
public import Keys
public import NameRegistry
public import Runtime
import Synchronization

/// A store of names in an SQL database, with the registrations' log beside it.
///
/// One thread writes, in groups that share a commit; one answers look-ups; one runs longer reads. What was acknowledged
/// is in the log and in the database, both on disk.
public final class SQLNameStore: NameStore {
    private let writes: JobQueue<WriteJob>
    private let lookups: JobQueue<Lookup>
    private let bodies: JobQueue<ReadBody>
    private let counters = StoreCounters()
    private let threads = ThreadCount()
    private let replayed: Mutex<LogReplayReport>

    /// Opens a database, with its log unless nothing has to last; connections are opened by the threads that use them.
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
        replayed = Mutex(LogReplayReport())
        let started: Result<LogReplayReport, NameStoreError> = await withCheckedContinuation { continuation in
            startThread("names-write") {
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
        let report = try started.get()
        replayed.withLock { $0 = report }
        startThread("names-find") { LookupReader(queue: lookups, counters: counters, open: open).run() }
        startThread("names-read") { BodyReader(queue: bodies, open: open).run() }
    }

    private func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let end = threads.begin()
        let thread = Thread {
            body()
            end()
        }
        thread.name = name
        thread.start()
    }

    deinit {
        writes.close()
        lookups.close()
        bodies.close()
    }

    /// How the database and the log were brought together at the start.
    public var replay: LogReplayReport { replayed.withLock { $0 } }

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
        try await withCheckedContinuation { answer in find(name) { answer.resume(returning: $0) } }.get()
    }

    public func find(_ account: InfoHash) async throws(NameStoreError) -> StoredName? {
        try await withCheckedContinuation { answer in find(account) { answer.resume(returning: $0) } }.get()
    }

    public func find(_ name: Name, answer: @escaping @Sendable (Result<StoredName?, NameStoreError>) -> Void) {
        push(.name(name, answer))
    }

    public func find(_ account: InfoHash, answer: @escaping @Sendable (Result<StoredName?, NameStoreError>) -> Void) {
        push(.account(account, answer))
    }

    private func push(_ lookup: Lookup) {
        if let refusal = lookups.push(lookup) { lookup.fail(refusal) }
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
        await threads.ends()
    }
}
