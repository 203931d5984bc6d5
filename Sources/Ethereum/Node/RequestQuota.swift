import Runtime

/// Lets so many requests go to an endpoint at once, and so many in each second; the others wait in order.
///
/// Whoever got a turn gives it back with ``leave()``. A waiting task that is cancelled leaves the queue.
actor RequestQuota {
    private let concurrent: Int
    private let waitingLimit: Int
    private let spacing: Duration
    /// Requests that may go at once after a quiet time.
    private let burst: Int
    private let clock: any TimeSource
    private var running = 0
    private var nextTurn = Instant()
    private var lastID: UInt64 = 0
    private var waiting: [(id: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []

    init(_ options: NodeOptions, clock: any TimeSource) {
        concurrent = max(1, options.concurrentRequests)
        waitingLimit = options.waitingRequests
        burst = max(1, options.requestsPerSecond)
        spacing = .seconds(1) / burst
        self.clock = clock
    }

    func enter() async throws(NodeError) {
        if running < concurrent, waiting.isEmpty {
            running += 1
        } else {
            guard waiting.count < waitingLimit else { throw .busy }
            lastID += 1
            let id = lastID
            let admitted = await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    if Task.isCancelled {
                        continuation.resume(returning: false)
                    } else {
                        waiting.append((id, continuation))
                    }
                }
            } onCancel: {
                Task { await self.cancel(id) }
            }
            guard admitted else { throw .cancelled }
        }
        let pause = reserveTurn()
        guard pause > .zero else { return }
        do {
            try await Task.sleep(for: pause)
        } catch {
            leave()
            throw .cancelled
        }
    }

    func leave() {
        if waiting.isEmpty {
            running -= 1
        } else {
            // The turn goes to the next in the queue.
            waiting.removeFirst().continuation.resume(returning: true)
        }
    }

    /// How long the present request must wait so that the rate is kept.
    private func reserveTurn() -> Duration {
        let now = clock.now
        let turn = max(nextTurn, now - spacing * (burst - 1))
        nextTurn = turn + spacing
        return turn - now
    }

    private func cancel(_ id: UInt64) {
        guard let index = waiting.firstIndex(where: { $0.id == id }) else { return }
        waiting.remove(at: index).continuation.resume(returning: false)
    }
}
