import NIOPosix
import Runtime

/// Somebody who waits for the answer to a ping.
struct PingWaiter {
    let continuation: CheckedContinuation<PingAnswer?, Never>
    /// Addresses that may answer yet.
    var open: Int
}

extension DHTNode {
    /// Asks whether a node is at an address.
    ///
    /// A host with several addresses is asked at all of them; the first answer counts. Returns after ten seconds at the
    /// latest, besides the time that it takes to look up the name of the host.
    ///
    /// - Parameter address: `host`, `host:port` or `[IPv6]:port`; the default port is 4222.
    /// - Throws: ``DHTError/Code/notRunning``; ``DHTError/Code/invalidArgument`` for what is no address, or the name of no
    ///   host; ``DHTError/Code/unreachable`` when nobody answered.
    @discardableResult
    public func ping(_ address: String) async throws(DHTError) -> PingAnswer {
        guard isRunning else { throw DHTError(.notRunning, "The node is not running") }
        guard let host = HostAddress(address) else { throw DHTError(.invalidArgument, "“\(address)” is no address") }
        let endpoints = (try? await pool.runIfActive { host.resolve() }) ?? []
        guard !endpoints.isEmpty else { throw DHTError(.invalidArgument, "No address of \(host.host) is known") }
        guard isRunning else { throw DHTError(.notRunning, "The node is not running") }
        let answer = await withCheckedContinuation { continuation in
            let ticket = takeTicket()
            beginTurn()
            for endpoint in endpoints.prefix(Self.pingedAddresses) {
                pings[core.ping(endpoint, now: currentTime)] = ticket
            }
            let count = min(endpoints.count, Self.pingedAddresses)
            pingWaiters[ticket] = PingWaiter(continuation: continuation, open: count)
            endTurn()
        }
        guard let answer else { throw DHTError(.unreachable, "No node answers at \(address)") }
        return answer
    }

    private static let pingedAddresses = 8

    func pingEnded(_ operation: OperationID, _ answer: PingAnswer?) {
        guard let ticket = pings.removeValue(forKey: operation), var waiter = pingWaiters[ticket] else { return }
        waiter.open -= 1
        let isOver = answer != nil || waiter.open == 0
        pingWaiters[ticket] = isOver ? nil : waiter
        if isOver { waiter.continuation.resume(returning: answer) }
    }
}
