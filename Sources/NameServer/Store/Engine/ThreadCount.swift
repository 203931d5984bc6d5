import Synchronization

/// Counts threads that run, for a task that waits for their end.
final class ThreadCount: Sendable {
    private struct State {
        var running = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// A thread begins; it calls what is returned when it ends.
    func begin() -> @Sendable () -> Void {
        state.withLock { $0.running += 1 }
        return {
            let waiting = self.state.withLock { state in
                state.running -= 1
                guard state.running == 0 else { return [] as [CheckedContinuation<Void, Never>] }
                defer { state.waiting = [] }
                return state.waiting
            }
            for continuation in waiting { continuation.resume() }
        }
    }

    /// Returns once no thread runs.
    func ends() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.running > 0 { state.waiting.append(continuation) }
                return state.running == 0
            }
            if isOver { continuation.resume() }
        }
    }
}
