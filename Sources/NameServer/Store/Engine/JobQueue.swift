import Dispatch
import Synchronization

/// Jobs of many tasks for one thread, which takes all that wait at once.
final class JobQueue<Job: Sendable>: Sendable {
    private struct State {
        var jobs: [Job] = []
        var isAsleep = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let alarm = DispatchSemaphore(value: 0)
    private let limit: Int

    /// - Parameter limit: how many jobs may wait.
    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { state.withLock { $0.jobs.count } }

    /// Adds a job, or says why not; then the caller answers it.
    func push(_ job: Job) -> NameStoreError? {
        let (refusal, wakes) = state.withLock { state -> (NameStoreError?, Bool) in
            guard !state.isClosed else { return (.closed, false) }
            guard state.jobs.count < limit else {
                return (.unavailable(reason: "\(limit) requests are waiting already"), false)
            }
            state.jobs.append(job)
            defer { state.isAsleep = false }
            return (nil, state.isAsleep)
        }
        if wakes { alarm.signal() }
        return refusal
    }

    /// Waits for jobs; `nil` when the queue is closed and all were taken.
    func take(upTo count: Int) -> [Job]? {
        while true {
            let (jobs, isClosed) = state.withLock { state -> ([Job], Bool) in
                let jobs = Self.takeJobs(upTo: count, of: &state)
                state.isAsleep = jobs.isEmpty && !state.isClosed
                return (jobs, state.isClosed)
            }
            if !jobs.isEmpty { return jobs }
            if isClosed { return nil }
            alarm.wait()
        }
    }

    /// What waits at this moment.
    func takeWaiting(upTo count: Int) -> [Job] {
        state.withLock { Self.takeJobs(upTo: count, of: &$0) }
    }

    private static func takeJobs(upTo count: Int, of state: inout State) -> [Job] {
        if state.jobs.count <= count {
            var jobs: [Job] = []
            swap(&jobs, &state.jobs)
            return jobs
        }
        let jobs = Array(state.jobs.prefix(count))
        state.jobs.removeFirst(count)
        return jobs
    }

    /// Refuses further jobs; those that wait are still taken.
    func close() {
        let wakes = state.withLock { state in
            state.isClosed = true
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        if wakes { alarm.signal() }
    }
}
