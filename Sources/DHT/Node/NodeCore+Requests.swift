import Keys
import MessagePack
package import Runtime

/// Requests to other nodes: sent, sent again, answered or given up. Source: DHT protocol, "Request reliability".
extension NodeCore {
    /// A number that no request and no socket uses.
    func drawTransaction() -> UInt32 {
        while true {
            let transaction = UInt32(truncatingIfNeeded: randomness.next())
            if transaction != 0, requests[transaction] == nil, sockets[transaction] == nil { return transaction }
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// - Returns: its transaction, or `nil` when too many requests wait already.
    @discardableResult
    func send(
        _ purpose: Request.Purpose,
        to node: NodeIndex,
        values: OutgoingValues = .none,
        now: Instant,
        _ write: (UInt32, inout MessagePackWriter) -> Void
    ) -> UInt32? {
        let receiver = nodes[node].endpoint
        guard let transaction = send(purpose, node: node, receiver: receiver, values: values, now: now, write) else {
            return nil
        }
        nodes[node].pendingRequests += 1
        return transaction
    }

    private func send(
        _ purpose: Request.Purpose,
        node: NodeIndex?,
        receiver: Endpoint,
        values: OutgoingValues,
        now: Instant,
        _ write: (UInt32, inout MessagePackWriter) -> Void
    ) -> UInt32? {
        guard requests.count < limits.pendingRequests else { return nil }
        let transaction = drawTransaction()
        outbox.send(to: receiver) { write(transaction, &$0) }
        sendParts(of: values, transaction, to: receiver)
        let delay = Timing.firstRetry + randomness.duration(in: .zero...Timing.retryJitter)
        requests[transaction] = Request(
            transaction: transaction,
            node: node,
            receiver: receiver,
            purpose: purpose,
            message: outbox.last,
            values: values,
            began: now,
            delay: delay,
            deadline: now + delay
        )
        // Only searches are in a hurry and have others to turn to; parts take their time.
        let isHurried = purpose.search != nil && values.isInline
        timers.insert(.request(transaction), at: now + (isHurried ? min(responseTimes.patience, delay) : delay))
        counters.requested += 1
        return transaction
    }

    /// Lets the values of a message follow it, as fast as they may.
    func sendParts(of values: OutgoingValues, _ transaction: UInt32, to receiver: Endpoint) {
        guard !values.isInline else { return }
        parts.append(values.encoded, for: PartQueue.Key(receiver: receiver, transaction: transaction))
    }

    /// Sends the parts whose turn it is.
    func sendWaitingParts(now: Instant) {
        while let part = parts.take(now: now) {
            outbox.send(to: part.key.receiver) { output in
                writer.part(
                    part.key.transaction,
                    index: part.index,
                    offset: part.range.lowerBound,
                    bytes: part.value[part.range],
                    to: &output
                )
            }
            if part.isLast { allPartsAreSent(part.key, now: now) }
        }
        guard !parts.isEmpty, !isPartTimerSet else { return }
        isPartTimerSet = true
        timers.insert(.parts, at: now + PartQueue.pause)
    }

    /// Only now the receiver can answer.
    private func allPartsAreSent(_ key: PartQueue.Key, now: Instant) {
        guard let request = requests[key.transaction], request.receiver == key.receiver else { return }
        requests[key.transaction]?.deadline = now + request.delay
        timers.insert(.request(key.transaction), at: now + request.delay)
    }

    /// Takes a request out; what still waits to be sent of it is not needed any more.
    func forget(_ request: Request) {
        requests[request.transaction] = nil
        if !request.values.isInline { parts.remove(request.parts) }
    }

    func ping(_ node: NodeIndex, now: Instant) {
        send(.ping, to: node, now: now) { writer.ping($0, to: &$1) }
    }

    /// Takes the addresses to start from, which were asked for with ``NodeEvent/bootstrapDue``.
    package func bootstrap(with endpoints: [Endpoint], now: Instant) {
        isResolving = false
        ping(endpoints, now: now)
    }

    /// Pings addresses of which only the address is known.
    package func ping(_ endpoints: [Endpoint], now: Instant) {
        for endpoint in endpoints.prefix(64) { sendGreeting(to: endpoint, for: nil, now: now) }
        statusMayHaveChanged = true
        settle(now)
    }

    /// Pings an address whose node is not known; whether it could.
    @discardableResult
    func sendGreeting(to endpoint: Endpoint, for operation: OperationID?, now: Instant) -> Bool {
        guard !endpoint.isMartian, families.includes(endpoint.family) else { return false }
        let sent = send(.bootstrap(operation), node: nil, receiver: endpoint, values: .none, now: now) {
            writer.ping($0, to: &$1)
        }
        if sent != nil { states[endpoint.family].bootstrapPings += 1 }
        return sent != nil
    }

    // MARK: Time

    func requestDue(_ transaction: UInt32, now: Instant) {
        guard var request = requests[transaction] else { return }
        guard request.deadline <= now else {
            guard !request.isSlow, request.attempt == 1, request.values.isInline else { return }
            guard !isBeingAnswered(request) else {
                timers.insert(.request(transaction), at: request.deadline)
                return
            }
            requests[transaction]?.isSlow = true
            // More likely it was lost than that the node has become slow.
            sendAgain(request)
            timers.insert(.request(transaction), at: request.deadline)
            return requestIsSlow(request)
        }
        guard !parts.contains(request.parts) else {
            // It is still being sent.
            return postpone(request, to: now + request.delay)
        }
        switch retry(of: request, now: now) {
        case .now: break
        case .never: return
        case .later(let time): return postpone(request, to: time)
        }
        guard request.attempt < Timing.attempts else {
            return giveUp(request, now: now)
        }
        let wasSlow = request.isSlow
        request.isSlow = true
        request.attempt += 1
        request.delay = request.delay * 2 + randomness.duration(in: .zero...Timing.retryJitter)
        request.deadline = now + request.delay
        sendAgain(request)
        requests[transaction] = request
        timers.insert(.request(transaction), at: request.deadline)
        if !wasSlow { requestIsSlow(request) }
    }

    private func sendAgain(_ request: Request) {
        outbox.send(to: request.receiver) { $0.write(encoded: request.message) }
        sendParts(of: request.values, request.transaction, to: request.receiver)
    }

    private func postpone(_ request: Request, to time: Instant) {
        requests[request.transaction]?.deadline = time
        timers.insert(.request(request.transaction), at: time)
    }

    /// Nobody answered: the node is taken for gone.
    func giveUp(_ request: Request, now: Instant) {
        forget(request)
        counters.expired += 1
        guard let node = request.node else {
            states[request.receiver.family].bootstrapPings -= 1
            statusMayHaveChanged = true
            if case .bootstrap(let operation?) = request.purpose { events.append(.pinged(operation, nil)) }
            return
        }
        nodes[node].pendingRequests -= 1
        requestEnded(request, now: now)
        expireNode(node, now: now)
        if case .maintenance = request.purpose { scheduleConfirm(at: now + .seconds(1)) }
    }

    /// Marks a node as gone and ends everything that waits for it.
    func expireNode(_ node: NodeIndex, now: Instant) {
        guard !nodes[node].isExpired else { return }
        nodes[node].isExpired = true
        statusMayHaveChanged = true
        let waiting = requests.values.filter { $0.node == node }.sorted { $0.transaction < $1.transaction }
        for request in waiting {
            forget(request)
            nodes[node].pendingRequests -= 1
            requestEnded(request, now: now)
        }
        closeSockets(of: node, now: now)
        for search in searches(of: nodes[node].family) where search.position(of: node) != nil { mark(search) }
    }

    // MARK: Answers

    func answer(
        _ packet: Packet,
        _ bytes: RawSpan,
        values: [Value],
        node: NodeIndex,
        from sender: Endpoint,
        now: Instant
    ) {
        guard let request = take(packet.transaction, node: node, sender: sender, now: now) else {
            // Listeners of the oldest kind get their values as replies to the socket.
            if socket(packet.transaction, of: packet.sender) != nil {
                hear(packet, values: values, socket: packet.transaction, now: now)
            }
            return
        }
        if let address = packet.address { vote(bytes.copy(address), as: sender.family) }
        switch request.purpose {
        case .ping, .update:
            break
        case .bootstrap(let operation?):
            let answer = PingAnswer(id: packet.sender, roundTrip: now - request.began)
            events.append(.pinged(operation, answer))
        case .bootstrap(nil), .maintenance:
            learnNodes(packet, bytes, from: sender, for: nil, now: now)
        case .find(let search), .get(let search, _, _), .page(let search), .pageValue(let search), .probe(let search):
            answerSearch(request, search, packet, bytes, values: values, node: node, from: sender, now: now)
        case .put(let search, let announce), .refresh(let search, let announce):
            nodes[node].authErrors = 0
            acknowledge(announce, by: node, search: search, isConfirmed: packet.valueID != 0, now: now)
        case .listen(let search, _, let socket):
            nodes[node].authErrors = 0
            confirmListen(search, socket, packet, bytes, node: node, now: now)
        }
    }

    /// The request that a node answers, which is over then.
    private func take(_ transaction: UInt32, node: NodeIndex, sender: Endpoint, now: Instant) -> Request? {
        guard let request = requests[transaction] else { return nil }
        if let asked = request.node {
            guard asked == node else { return nil }
            nodes[node].pendingRequests -= 1
        } else {
            guard request.receiver == sender else { return nil }
            states[sender.family].bootstrapPings -= 1
        }
        forget(request)
        if request.attempt == 1, request.values.isInline { responseTimes.note(now - request.began) }
        nodes[node].lastReply = now
        statusMayHaveChanged = true
        let ping = states[nodes[node].family].table.insert(node, evidence: .reply, nodes: nodes, now: now)
        if let ping, ping != node {
            self.ping(ping, now: now)
        }
        return request
    }

    func fail(_ transaction: UInt32, code: UInt64, node: NodeIndex, now: Instant) {
        guard let request = requests[transaction], request.node == node else { return }
        switch (code, request.purpose) {
        case (404, .refresh(let search, let announce)):
            finish(request, node: node, now: now)
            reannounce(announce, on: node, search: search, now: now)
        case (401, .put(let search, _)), (401, .refresh(let search, _)), (401, .listen(let search, _, _)):
            finish(request, node: node, now: now)
            requestEnded(request, now: now)
            tokenWasRefused(by: node, search: search, now: now)
        default:
            break
        }
    }

    private func finish(_ request: Request, node: NodeIndex, now: Instant) {
        forget(request)
        nodes[node].pendingRequests -= 1
        nodes[node].lastReply = now
        statusMayHaveChanged = true
    }

    private func vote(_ address: [UInt8], as family: Endpoint.Family) {
        guard let endpoint = Endpoint(address: address, port: 0), endpoint.family == family else { return }
        let before = states[family].votes.winner
        states[family].votes.vote(for: endpoint)
        if states[family].votes.winner != before { events.append(.publicAddressChanged(endpoint.addressText)) }
    }
}
