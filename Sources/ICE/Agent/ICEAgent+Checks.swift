import NIOCore
import Runtime

extension ICEAgent {
    // MARK: Frames

    mutating func received(_ payload: ByteBuffer, on id: ConnectionID, now: Instant) {
        guard let index = index(of: id), connections[index].stage == .open else { return }
        guard ReceivedSTUNMessage.hasForm(payload.readableBytesView) else {
            receivedApplicationBytes(payload, at: index, now: now)
            return
        }
        guard let received = try? ReceivedSTUNMessage(Array(payload.readableBytesView)) else {
            countBadFrame(at: index, now: now)
            return
        }
        switch received.message.kind {
        case .request: receivedRequest(received, at: index, now: now)
        case .success, .error: receivedResponse(received, at: index, now: now)
        case .indication: break
        }
    }

    /// Application bytes decide which connection the peer uses, whatever was nominated.
    ///
    /// Source: peer connections protocol, "Nomination and selection".
    private mutating func receivedApplicationBytes(_ payload: ByteBuffer, at index: Int, now: Instant) {
        let id = connections[index].id
        switch phase {
        case .selected(id):
            effects.append(.deliver(payload))
        case .waiting where connections[index].isAuthentic, .checking where connections[index].isAuthentic:
            select(id, now: now)
            effects.append(.deliver(payload))
        case .waiting, .checking, .selected, .failed:
            drop(index, now: now)
        }
    }

    private mutating func countBadFrame(at index: Int, now: Instant) {
        connections[index].badFrames += 1
        guard connections[index].badFrames > limits.badFramesPerConnection else { return }
        if phase == .selected(connections[index].id) {
            fail(.connectionLost)
        } else {
            drop(index, now: now)
        }
    }

    // MARK: Checks of the peer

    private mutating func receivedRequest(_ received: ReceivedSTUNMessage, at index: Int, now: Instant) {
        let request = received.message
        let id = connections[index].id
        if phase != .selected(id) {
            connections[index].requests += 1
            guard connections[index].requests <= limits.requestsPerConnection else {
                drop(index, now: now)
                return
            }
        }
        guard request.method == STUNMessage.binding else {
            refuse(request, on: id, .errorCode(400, reason: "Bad Request"), key: nil)
            return
        }
        let prefix = Array(localDescription.usernameFragment.utf8) + [UInt8(ascii: ":")]
        let key = Array(localDescription.password.utf8)
        guard let priority = request.priority, let username = request.username, username.starts(with: prefix),
            received.isAuthentic(key: key)
        else {
            countBadFrame(at: index, now: now)
            return
        }
        guard request.notUnderstood.isEmpty else {
            let reply = STUNMessage(
                kind: .error,
                transaction: request.transaction,
                attributes: [
                    .errorCode(420, reason: "Unknown Attribute"), .unknownAttributes(request.notUnderstood),
                ]
            )
            effects.append(.send(id, reply.encode(key: key)))
            return
        }
        guard !claimsOurRole(request) else {
            refuse(request, on: id, .errorCode(487, reason: "Role Conflict"), key: key)
            return
        }
        let answer = STUNMessage(
            kind: .success,
            transaction: request.transaction,
            attributes: [.xorMappedAddress(connections[index].remote)]
        )
        effects.append(.send(id, answer.encode(key: key)))
        connections[index].wasCheckedByPeer = true
        if connections[index].candidate == nil { connections[index].remotePriority = priority }
        if role == .controlled, request.nominates { connections[index].wasNominatedByPeer = true }
        trigger(id, now: now)
        noteNomination(of: id, now: now)
    }

    private mutating func refuse(
        _ request: STUNMessage,
        on id: ConnectionID,
        _ error: STUNAttribute,
        key: [UInt8]?
    ) {
        let reply = STUNMessage(
            kind: .error,
            method: request.method,
            transaction: request.transaction,
            attributes: [error]
        )
        effects.append(.send(id, reply.encode(key: key)))
    }

    /// Roles follow from who asked for the connection, and TLS follows from them, so neither side may switch.
    private func claimsOurRole(_ request: STUNMessage) -> Bool {
        request.attributes.contains { attribute in
            switch attribute {
            case .iceControlling: role == .controlling
            case .iceControlled: role == .controlled
            default: false
            }
        }
    }

    // MARK: Checks of our own

    /// Checks back over the connection on which the peer has checked.
    ///
    /// Source: RFC 8445 §7.3.1.4.
    mutating func trigger(_ id: ConnectionID, now: Instant) {
        guard phase == .checking, let index = index(of: id), connections[index].stage == .open else { return }
        guard connections[index].check == .none else { return }
        check(index, nominates: false, now: now)
        evaluate(now: now)
    }

    mutating func check(_ index: Int, nominates: Bool, now: Instant) {
        guard let remote else { return }
        let transaction = newTransaction()
        connections[index].check = .waiting(transaction, nominates: nominates)
        var attributes: [STUNAttribute] = [.priority(checkPriority(of: connections[index]))]
        if nominates { attributes.append(.useCandidate) }
        let isControlling = role == .controlling
        attributes.append(
            isControlling ? .iceControlling(tieBreaker: tieBreaker) : .iceControlled(tieBreaker: tieBreaker)
        )
        attributes.append(.username(Array("\(remote.usernameFragment):\(localDescription.usernameFragment)".utf8)))
        let request = STUNMessage(kind: .request, transaction: transaction, attributes: attributes)
        effects.append(.send(connections[index].id, request.encode(key: Array(remote.password.utf8))))
        timers.insert(.checkTimeout(connections[index].id, transaction), at: now + limits.checkTimeout)
    }

    /// The priority that a peer-reflexive candidate learnt from this check would have.
    ///
    /// The local preference counts down with the index of the local candidate: passive, then active, per address.
    private func checkPriority(of connection: Connection) -> UInt32 {
        let wanted: ICECandidate.TCPRole = connection.candidate == nil ? .passive : .active
        let isIPv6 = connection.remote.host.isIPv6
        let index = localDescription.candidates.firstIndex {
            $0.transport == .tcp(wanted) && $0.address.host.isIPv6 == isIPv6
        }
        return ICECandidate.priority(of: .peerReflexive, localPreference: .max - UInt16(index ?? 0))
    }

    private mutating func receivedResponse(_ received: ReceivedSTUNMessage, at index: Int, now: Instant) {
        let response = received.message
        guard case .waiting(let transaction, let nominates) = connections[index].check,
            transaction == response.transaction, let remote
        else { return }
        guard received.isAuthentic(key: Array(remote.password.utf8)) else {
            countBadFrame(at: index, now: now)
            return
        }
        let id = connections[index].id
        guard response.kind == .success, response.mappedAddress != nil else {
            connections[index].check = .failed
            drop(index, now: now)
            return
        }
        connections[index].check = .succeeded
        if nominates {
            select(id, now: now)
        } else if role == .controlling {
            foundValidPair(at: index, now: now)
        } else {
            noteNomination(of: id, now: now)
        }
        evaluate(now: now)
    }

    mutating func checkTimedOut(_ id: ConnectionID, _ transaction: STUNTransaction, now: Instant) {
        guard let index = index(of: id), connections[index].stage == .open, phase == .checking else { return }
        guard case .waiting(transaction, _) = connections[index].check else { return }
        connections[index].check = .failed
        drop(index, now: now)
    }

    // MARK: Nomination

    /// The controlling side nominates one pair: a direct one at once, a relayed one after a short wait for a better one.
    private mutating func foundValidPair(at index: Int, now: Instant) {
        guard nominating == nil, phase == .checking else { return }
        if connections[index].isRelayed {
            timers.insert(.nominate, at: now + limits.nominationDelay)
        } else {
            nominating = connections[index].id
            check(index, nominates: true, now: now)
        }
    }

    mutating func nominateBest(now: Instant) {
        guard role == .controlling, phase == .checking, nominating == nil else { return }
        let valid = connections.indices.filter {
            connections[$0].stage == .open && connections[$0].check == .succeeded
        }
        let best = valid.max { left, right in
            let (left, right) = (connections[left], connections[right])
            if left.isRelayed != right.isRelayed { return left.isRelayed }
            return left.remotePriority < right.remotePriority
        }
        guard let best else { return }
        nominating = connections[best].id
        check(best, nominates: true, now: now)
    }

    /// On the controlled side a nomination stands when the peer has asked for it and our own check succeeded.
    private mutating func noteNomination(of id: ConnectionID, now: Instant) {
        guard role == .controlled, phase == .checking, !isNominated, let index = index(of: id) else { return }
        guard connections[index].wasNominatedByPeer, connections[index].check == .succeeded else { return }
        isNominated = true
        giveUpAt = nil
        timers.insert(.firstBytes, at: now + limits.firstBytesWait)
    }

    mutating func newTransaction() -> STUNTransaction {
        STUNTransaction(high: randomness.next(), low: UInt32(truncatingIfNeeded: randomness.next()))
    }
}
