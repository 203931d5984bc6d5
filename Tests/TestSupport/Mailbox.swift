import Synchronization

/// Keeps everything that was posted, and lets tests wait for an element that fits.
///
/// An element that was posted before the wait began counts too, so a test cannot miss what comes early.
public final class Mailbox<Element: Sendable>: Sendable {
    private struct Waiter: Sendable {
        let id: Int
        let fits: @Sendable (Element) -> Bool
        let continuation: CheckedContinuation<Element?, Never>
    }

    private struct State: Sendable {
        var elements: [Element] = []
        var waiters: [Waiter] = []
        var nextID = 0
        var isClosed = false
    }

    private let state = Mutex(State())

    public init() {}

    public var all: [Element] {
        state.withLock { $0.elements }
    }

    public func post(_ element: Element) {
        let ready = state.withLock { state in
            state.elements.append(element)
            let ready = state.waiters.filter { $0.fits(element) }
            state.waiters.removeAll { waiter in ready.contains { $0.id == waiter.id } }
            return ready
        }
        for waiter in ready { waiter.continuation.resume(returning: element) }
    }

    /// Nothing more will come; whoever waits gets `nil` now.
    public func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: nil) }
    }

    /// The first element from a position on that fits, or `nil` when the time is over or the mailbox is closed.
    public func first(
        from start: Int = 0,
        within timeout: Duration,
        where fits: @escaping @Sendable (Element) -> Bool = { _ in true }
    ) async -> Element? {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let deadline = Task {
            try? await Task.sleep(for: timeout)
            self.giveUp(id)
        }
        defer { deadline.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Element?? = state.withLock { state in
                    if let known = state.elements.dropFirst(start).first(where: fits) { return .some(known) }
                    if state.isClosed || Task.isCancelled { return .some(nil) }
                    state.waiters.append(Waiter(id: id, fits: fits, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            giveUp(id)
        }
    }

    private func giveUp(_ id: Int) {
        let waiter: Waiter? = state.withLock { state in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiters.remove(at: index)
        }
        waiter?.continuation.resume(returning: nil)
    }
}
