import Synchronization

/// Work that many may ask for at once and that is done once for all of them.
///
/// Each caller is answered exactly once. One that is cancelled leaves; when the last has left, the work is cancelled.
final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Flight {
        var number: Int
        var task: Task<Void, Never>?
        var waiters: [Int: CheckedContinuation<Value, Never>] = [:]
    }

    private struct State {
        var next = 0
        var flights: [Key: Flight] = [:]
    }

    private let state = Mutex(State())

    /// How many different pieces of work are under way.
    var count: Int { state.withLock { $0.flights.count } }

    /// Joins the work for a key, which is started when nobody does it yet.
    ///
    /// - Parameters:
    ///   - key: what the work is for.
    ///   - cancelled: the answer to a caller that is cancelled.
    ///   - work: what is done; its task is cancelled when nobody waits any more.
    /// - Returns: what the work gave.
    func join(_ key: Key, cancelled: Value, _ work: @escaping @Sendable () async -> Value) async -> Value {
        let waiter = state.withLock { state in
            state.next += 1
            return state.next
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume(returning: cancelled) }
                enter(key, waiter, continuation, work)
                // A cancellation before the entry found nobody to release.
                if Task.isCancelled { leave(key, waiter, cancelled) }
            }
        } onCancel: {
            leave(key, waiter, cancelled)
        }
    }

    private func enter(
        _ key: Key,
        _ waiter: Int,
        _ continuation: CheckedContinuation<Value, Never>,
        _ work: @escaping @Sendable () async -> Value
    ) {
        state.withLock { state in
            guard state.flights[key] == nil else {
                state.flights[key]?.waiters[waiter] = continuation
                return
            }
            var flight = Flight(number: waiter)
            flight.waiters[waiter] = continuation
            // Ends by itself or when its last waiter leaves.
            flight.task = Task { self.land(key, flight: waiter, await work()) }
            state.flights[key] = flight
        }
    }

    private func land(_ key: Key, flight number: Int, _ value: Value) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value, Never>] in
            guard let flight = state.flights[key], flight.number == number else { return [] }
            state.flights[key] = nil
            return Array(flight.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    private func leave(_ key: Key, _ waiter: Int, _ cancelled: Value) {
        let (continuation, abandoned) = state.withLock { state in
            guard let continuation = state.flights[key]?.waiters.removeValue(forKey: waiter) else {
                return (CheckedContinuation<Value, Never>?.none, Task<Void, Never>?.none)
            }
            guard let flight = state.flights[key], flight.waiters.isEmpty else { return (continuation, nil) }
            state.flights[key] = nil
            return (continuation, flight.task)
        }
        abandoned?.cancel()
        continuation?.resume(returning: cancelled)
    }
}
