import NameRegistry
import Runtime
import Synchronization

/// The one writer of a store: commits what waits in groups; everything here runs on its thread.
///
/// Nobody is answered before the commit, see ``RegistrationLog`` for the order of things.
final class StoreWriter {
    private let queue: JobQueue<WriteJob>
    private let limits: NameStoreLimits
    private let steps: StoreSteps
    private let counters: StoreCounters
    private let logPath: String?
    private var log: RegistrationLog?
    private var keeper: ConnectionKeeper
    /// How many were answered by the last commit or waited for the next one: those that may come together again.
    private var company = 1

    init(
        queue: JobQueue<WriteJob>,
        limits: NameStoreLimits,
        logPath: String?,
        steps: @escaping StoreSteps,
        counters: StoreCounters,
        open: @escaping @Sendable () throws(NameStoreError) -> any SQLConnection
    ) {
        self.queue = queue
        self.limits = limits
        self.logPath = logPath
        self.steps = steps
        self.counters = counters
        keeper = ConnectionKeeper(open: open)
    }

    /// Makes the tables, and brings the database and the log together.
    func start(
        progress: (@Sendable (LogReplayReport) -> Void)?
    ) throws(NameStoreError) -> LogReplayReport {
        let sql = try keeper.connection(now: SystemTime().now)
        try StoreSchema.prepare(sql)
        guard let logPath else { return LogReplayReport() }
        let log = try RegistrationLog(path: logPath, steps: steps)
        self.log = log
        var replay = LogReplay(log: log, sql: sql, progress: progress)
        try sql.beginWriting()
        do throws(NameStoreError) {
            try replay.start()
            try sql.commit()
        } catch {
            sql.rollback()
            throw error
        }
        return replay.report
    }

    /// Serves the queue until it is closed.
    func run() {
        while var jobs = queue.take(upTo: limits.groupSize) {
            let room = limits.groupSize - jobs.count
            if company > jobs.count, room > 0, jobs.contains(where: \.isRegistration) {
                jobs += queue.gather(company - jobs.count, within: limits.gatherTime, upTo: room)
            }
            commit(jobs)
        }
        keeper.close()
    }

    private func commit(_ jobs: [WriteJob]) {
        var group = WriteGroup(jobs)
        do throws(NameStoreError) {
            let sql = try keeper.connection(now: SystemTime().now)
            do throws(NameStoreError) {
                try sql.beginWriting()
                try settleLog(sql)
                let transaction = StoreTransaction(sql)
                let tail = try transaction.tail()
                try group.run(in: transaction)
                try commit(transaction, behind: tail)
            } catch {
                sql.rollback()
                throw error
            }
        } catch {
            counters.failedCommits.add(1, ordering: .relaxed)
            company = jobs.count + queue.count
            group.fail(error)
            return
        }
        company = jobs.count + queue.count
        counters.commits.add(1, ordering: .relaxed)
        counters.registrations.add(UInt64(group.insertions), ordering: .relaxed)
        group.answer()
    }

    /// Leaves no line of the log whose fate is open, and nothing in it that the database does not know.
    private func settleLog(_ sql: any SQLConnection) throws(NameStoreError) {
        guard let log else { return }
        if let lines = log.open {
            let transaction = StoreTransaction(sql)
            if try has(lines, transaction) {
                log.confirm()
            } else if try log.endsWithOpenLines(transaction.tail()) {
                log.withdraw()
            } else {
                log.leaveToReplay()
            }
            guard log.open == nil else {
                throw .notWritable(reason: "\(log.path) cannot be repaired after a failure")
            }
        }
        guard try log.hasForeignLines() else { return }
        var replay = LogReplay(log: log, sql: sql)
        try replay.followUp()
    }

    private func has(
        _ lines: RegistrationLog.OpenLines,
        _ transaction: StoreTransaction
    ) throws(NameStoreError) -> Bool {
        if let tail = lines.tail {
            return try transaction.localLog(from: tail.sequence, limit: 1).first.map { LogTail($0) } == tail
        }
        guard let undone = lines.undone else { return true }
        return try transaction.localLines(from: undone, limit: 1).first?.isUndone == true
    }

    /// Settles lines after a commit has failed, and tells whether the database has them all the same.
    private func hasAfterFailure(
        _ lines: RegistrationLog.OpenLines,
        _ sql: any SQLConnection
    ) throws(NameStoreError) -> Bool {
        guard !sql.isBroken else { return false }
        try sql.beginWriting()
        let isThere = try has(lines, StoreTransaction(sql))
        try settleLog(sql)
        try sql.commit()
        return isThere
    }

    /// Writes the lines of a transaction to the log, and then commits it.
    private func commit(_ transaction: StoreTransaction, behind tail: LogTail) throws(NameStoreError) {
        try log?.append(transaction.lines, behind: tail)
        do throws(NameStoreError) {
            try steps(.beforeCommit)
            try transaction.sql.commit()
        } catch {
            let sql = transaction.sql
            sql.rollback()
            guard let log, let lines = log.open else { throw error }
            // Without an answer of the database the lines stay open, and the next turn settles them.
            let isThere = try? hasAfterFailure(lines, sql)
            sql.rollback()
            guard isThere == true else { throw error }
        }
        try? steps(.afterCommit)
        log?.confirm()
    }
}

/// Jobs that share a commit, with the answers that wait for it.
private struct WriteGroup {
    private enum Progress {
        case waiting
        case registered(RegistrationOutcome)
        case written(@Sendable () -> Void)
        case failed(any Error)
    }

    private let jobs: [WriteJob]
    private var progress: [Progress]
    private(set) var insertions = 0

    init(_ jobs: [WriteJob]) {
        self.jobs = jobs
        progress = Array(repeating: .waiting, count: jobs.count)
    }

    /// Runs the jobs; one that fails by itself leaves nothing behind, a failing database fails all.
    mutating func run(in transaction: StoreTransaction) throws(NameStoreError) {
        for (index, job) in jobs.enumerated() {
            switch job {
            case .registration(let registration, let chained, let time, _):
                let outcome = try transaction.append(registration, chained: chained, at: time)
                if case .inserted = outcome { insertions += 1 }
                progress[index] = .registered(outcome)
            case .body(let body):
                progress[index] = try run(body, in: transaction)
            }
        }
    }

    private func run(_ body: WriteBody, in transaction: StoreTransaction) throws(NameStoreError) -> Progress {
        let mark = transaction.mark
        try transaction.sql.execute("SAVEPOINT body")
        do {
            let answer = try body.run(transaction)
            try transaction.sql.execute("RELEASE SAVEPOINT body")
            return .written(answer)
        } catch {
            switch error as? NameStoreError {
            case .notWritable(let reason): throw .notWritable(reason: reason)
            case .unavailable(let reason): throw .unavailable(reason: reason)
            case .closed, .damaged, nil:
                try transaction.sql.execute("ROLLBACK TO SAVEPOINT body; RELEASE SAVEPOINT body")
                transaction.forget(since: mark)
                return .failed(error)
            }
        }
    }

    /// Answers everybody, after the commit.
    func answer() {
        for (job, progress) in zip(jobs, progress) {
            switch (job, progress) {
            case (.registration(_, _, _, let answer), .registered(let outcome)):
                answer.resume(returning: .success(outcome))
            case (.body, .written(let answer)): answer()
            case (.body(let body), .failed(let error)): body.fail(error)
            case (_, .waiting), (.registration, _), (.body, .registered):
                job.fail(.damaged(reason: "A request was left out of its commit"))
            }
        }
    }

    /// Refuses everybody: nothing was stored.
    func fail(_ error: NameStoreError) {
        for (job, progress) in zip(jobs, progress) {
            if case .body(let body) = job, case .failed(let own) = progress {
                body.fail(own)
            } else {
                job.fail(error)
            }
        }
    }
}
