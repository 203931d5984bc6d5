import Keys
package import Runtime

/// What the system says about addresses that it cannot send to.
extension NodeCore {
    /// There was no way to some addresses when something was sent to them.
    ///
    /// Searches turn to others at once. A node is given up when that happens to it again although others are heard from
    /// meanwhile: while nobody is, it is more likely that our own connection has a break, which must not cost us all nodes.
    package func cannotReach(_ endpoints: Set<Endpoint>, now: Instant) {
        let refused = requests.values.filter { endpoints.contains($0.receiver) }
        for request in refused.sorted(by: { $0.transaction < $1.transaction }) {
            // One before it may have ended this one too.
            guard let current = requests[request.transaction] else { continue }
            note(refusalOf: current, now: now)
        }
        settle(now)
    }

    private func note(refusalOf request: Request, now: Instant) {
        let lastHeard = states[request.receiver.family].lastHeard
        if let refused = request.refused, now - refused >= Timing.secondRefusal, lastHeard > refused {
            return giveUp(request, now: now)
        }
        if request.refused == nil { requests[request.transaction]?.refused = now }
        guard !request.isSlow else { return }
        requests[request.transaction]?.isSlow = true
        timers.insert(.request(request.transaction), at: request.deadline)
        requestIsSlow(request)
    }
}

/// Pings of the user of the node.
extension NodeCore {
    /// Asks whether a node is at an address.
    ///
    /// Answers ``NodeEvent/pinged(_:_:)`` once.
    package func ping(_ endpoint: Endpoint, now: Instant) -> OperationID {
        let operation = OperationID(number: takeNumber())
        if !sendGreeting(to: endpoint, for: operation, now: now) { events.append(.pinged(operation, nil)) }
        statusMayHaveChanged = true
        settle(now)
        return operation
    }
}
