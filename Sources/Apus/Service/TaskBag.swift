import Synchronization

/// Tasks that belong to an owner and end with it.
///
/// Every task that an owner starts is in its bag until it ends; ``cancelAll()`` cancels them and waits.
package final class TaskBag: Sendable {
    private struct State {
        var next = 0
        var isClosed = false
        var tasks: [Int: Task<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Starts a task; after ``cancelAll()`` it does nothing.
    package func start(_ body: @escaping @Sendable () async -> Void) {
        state.withLock { state in
            guard !state.isClosed else { return }
            let number = state.next
            state.next += 1
            state.tasks[number] = Task { [weak self] in
                await body()
                self?.ended(number)
            }
        }
    }

    /// Cancels every task, waits until they have ended, and refuses new ones.
    package func cancelAll() async {
        let tasks = state.withLock { state in
            state.isClosed = true
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func ended(_ number: Int) {
        state.withLock { _ = $0.tasks.removeValue(forKey: number) }
    }
}
