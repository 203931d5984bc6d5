import Synchronization

/// Lets one task sleep until a time, or until somebody has something new for it.
package final class Wakeup: Sendable {
    private struct State {
        var isPending = false
        var sleeper: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    /// Ends the present sleep, or the next one before it begins.
    package func wake() {
        let sleeper = state.withLock { state in
            state.isPending = state.sleeper == nil
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }

    /// Returns when the duration is over, after ``wake()``, or when the task is cancelled.
    package func sleep(for duration: Duration) async {
        let timer = Task { [weak self] in
            try? await Task.sleep(for: duration)
            self?.wake()
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isPending || Task.isCancelled {
                        state.isPending = false
                        return true
                    }
                    state.sleeper = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            wake()
        }
        // Nobody waits for the timer: once cancelled it ends at once.
        timer.cancel()
    }
}
