public import Keys
import NIOCore
import Runtime

/// A query that somebody waits for.
struct QueryWaiter {
    var continuation: CheckedContinuation<[FieldRow], Never>
    var rows: [FieldRow] = []
    /// Tells it from others before it has begun.
    let ticket: UInt64
}

extension DHTNode {
    /// Some fields of the values at a key, without the values themselves: those stored here, then those of the network.
    ///
    /// Equal rows come once, and so does a row that says less than another one before it; a query for whole values gets
    /// all fields. Nothing is decrypted and no signature is checked, so anybody can have made up what the rows say.
    /// Returns after a minute at the latest, and at once when the task is cancelled, with what was found until then.
    /// Source: DHT protocol, "Rows".
    ///
    /// - Throws: `DHTError.Code.notRunning`, or `invalidArgument` for the key zero.
    public func query(_ key: InfoHash, _ query: Query) async throws(DHTError) -> [FieldRow] {
        guard isRunning else { throw DHTError(.notRunning, "The node is not running") }
        guard !key.isZero else { throw DHTError(.invalidArgument, "The key is zero") }
        let ticket = takeTicket()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                beginTurn()
                let operation = core.query(key, query, now: currentTime)
                queries[operation] = QueryWaiter(continuation: continuation, ticket: ticket)
                endTurn()
            }
        } onCancel: { [weak self, eventLoop] in
            eventLoop.execute { [weak self] in self?.assumeIsolated { $0.cancelQuery(ticket) } }
        }
    }

    private func cancelQuery(_ ticket: UInt64) {
        guard let operation = queries.first(where: { $0.value.ticket == ticket })?.key,
            let waiter = queries.removeValue(forKey: operation)
        else { return }
        turn { core, now in core.cancel(operation, now: now) }
        waiter.continuation.resume(returning: waiter.rows)
    }
}
