import Dispatch
import Runtime
import Synchronization

/// Jobs of many tasks for one thread, which takes all that wait at once.
final class JobQueue<Job: Sendable>: Sendable {
    private struct State {
        var jobs: [Job] = []
        /// How many waiting jobs wake the thread; `nil` while it is awake.
        var wakesAt: Int?
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
            guard let wakesAt = state.wakesAt, state.jobs.count >= wakesAt else { return (nil, false) }
            state.wakesAt = nil
            return (nil, true)
        }
        if wakes { alarm.signal() }
        return refusal
    }

    /// Waits for jobs; `nil` when the queue is closed and all were taken.
    func take(upTo count: Int) -> [Job]? {
        while true {
            let (jobs, isClosed) = state.withLock { state -> ([Job], Bool) in
                let jobs = Self.takeJobs(upTo: count, of: &state)
                state.wakesAt = jobs.isEmpty && !state.isClosed ? 1 : nil
                return (jobs, state.isClosed)
            }
            if !jobs.isEmpty { return jobs }
            if isClosed { return nil }
            alarm.wait()
        }
    }

    /// Takes what waits as soon as that is a number of jobs, and what there is after some time.
    func gather(_ wanted: Int, within time: Duration, upTo count: Int) -> [Job] {
        let deadline = DispatchTime.now() + time.inSeconds
        var isLate = false
        while true {
            let jobs = state.withLock { state -> [Job]? in
                guard state.jobs.count >= min(wanted, count) || state.isClosed || isLate else {
                    state.wakesAt = min(wanted, count)
                    return nil
                }
                state.wakesAt = nil
                return Self.takeJobs(upTo: count, of: &state)
            }
            if let jobs { return jobs }
            isLate = alarm.wait(timeout: deadline) == .timedOut
        }
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
            defer { state.wakesAt = nil }
            return state.wakesAt != nil
        }
        if wakes { alarm.signal() }
    }
}
