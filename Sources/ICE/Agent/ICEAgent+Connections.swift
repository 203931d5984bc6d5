import Runtime

extension ICEAgent {
    /// A TCP connection of the session, dialled or accepted, with the state of its candidate pair.
    struct Connection: Sendable {
        enum Stage: Sendable {
            case queued, connecting, redialling, open, closed
        }

        enum Check: Equatable, Sendable {
            case none
            case waiting(STUNTransaction, nominates: Bool)
            case succeeded
            case failed
        }

        let id: ConnectionID
        let remote: TransportAddress
        /// What a dialled connection leads to.
        let candidate: ICECandidate?
        var stage: Stage
        var check = Check.none
        /// A request with our password arrived here.
        var wasCheckedByPeer = false
        var wasNominatedByPeer = false
        var remotePriority: UInt32
        var dials = 0
        var requests = 0
        var badFrames = 0

        var isAuthentic: Bool { wasCheckedByPeer || check == .succeeded }
        var isRelayed: Bool { candidate?.kind == .relay }

        /// Whether something may still come of it without the peer's help.
        var isPending: Bool {
            switch stage {
            case .queued, .connecting, .redialling: true
            case .open: if case .waiting = check { true } else { false }
            case .closed: false
            }
        }
    }

    func index(of id: ConnectionID) -> Int? {
        connections.firstIndex { $0.id == id }
    }

    // MARK: Dialling

    mutating func start(_ description: ICEDescription, now: Instant) {
        guard phase == .waiting, remote == nil else { return }
        remote = description
        phase = .checking
        timers.insert(.outOfTime, at: now + limits.total)
        var known: Set<TransportAddress> = []
        let reachable = description.candidates.filter { isReachable($0) && known.insert($0.address).inserted }
        let sorted = reachable.enumerated().sorted {
            let (left, right) = (pairPriority($0.element), pairPriority($1.element))
            return left != right ? left > right : $0.offset < $1.offset
        }
        for (number, candidate) in sorted.map(\.element).enumerated() {
            connections.append(
                Connection(
                    id: .dialled(number),
                    remote: candidate.address,
                    candidate: candidate,
                    stage: .queued,
                    remotePriority: candidate.priority
                )
            )
        }
        for connection in connections where connection.wasCheckedByPeer { trigger(connection.id, now: now) }
        dialNext(now: now)
        evaluate(now: now)
    }

    private func isReachable(_ candidate: ICECandidate) -> Bool {
        guard candidate.component == 1, candidate.transport == .tcp(.passive) else { return false }
        let (host, port) = (candidate.address.host, candidate.address.port)
        guard port != 0, host.isUnicast, allowsLoopback || !host.isLoopback else { return false }
        // A link-local IPv6 address means nothing without its interface, which the text does not carry.
        guard !(host.isIPv6 && host.isLinkLocal) else { return false }
        return localDescription.candidates.contains { $0.address.host.isIPv6 == host.isIPv6 }
    }

    private func pairPriority(_ candidate: ICECandidate) -> UInt64 {
        let local = localDescription.candidates.first {
            $0.transport == .tcp(.active) && $0.address.host.isIPv6 == candidate.address.host.isIPv6
        }
        return pairPriority(local: local?.priority ?? 0, remote: candidate.priority)
    }

    /// RFC 8445 §6.1.2.3.
    private func pairPriority(local: UInt32, remote: UInt32) -> UInt64 {
        let (controlling, controlled) = role == .controlling ? (local, remote) : (remote, local)
        let (low, high) = (UInt64(min(local, remote)), UInt64(max(local, remote)))
        return low << 32 &+ 2 &* high &+ (controlling > controlled ? 1 : 0)
    }

    mutating func dialNext(now: Instant) {
        guard phase == .checking else { return }
        guard let index = connections.firstIndex(where: { $0.stage == .queued }) else { return }
        dial(index, now: now)
        timers.insert(.dialNext, at: now + limits.pacing)
    }

    mutating func redial(_ id: ConnectionID, now: Instant) {
        guard phase == .checking, let index = index(of: id), connections[index].stage == .redialling else { return }
        dial(index, now: now)
    }

    private mutating func dial(_ index: Int, now: Instant) {
        connections[index].stage = .connecting
        connections[index].dials += 1
        let connection = connections[index]
        effects.append(.connect(connection.id, to: connection.remote))
        timers.insert(.connectTimeout(connection.id, dial: connection.dials), at: now + limits.connectTimeout)
    }

    mutating func connected(_ id: ConnectionID, local: TransportAddress, now: Instant) {
        guard let index = index(of: id), connections[index].stage == .connecting, phase == .checking else {
            effects.append(.close(id))
            return
        }
        connections[index].stage = .open
        check(index, nominates: false, now: now)
    }

    mutating func connectFailed(_ id: ConnectionID, now: Instant) {
        guard let index = index(of: id), connections[index].stage == .connecting else { return }
        if connections[index].isRelayed, connections[index].dials <= limits.relayRetries {
            connections[index].stage = .redialling
            timers.insert(.redial(id), at: now + limits.relayRetryDelay)
        } else {
            connections[index].stage = .closed
        }
        evaluate(now: now)
    }

    mutating func connectTimedOut(_ id: ConnectionID, dial: Int, now: Instant) {
        guard let index = index(of: id), connections[index].stage == .connecting else { return }
        guard connections[index].dials == dial else { return }
        drop(index, now: now)
    }

    // MARK: Accepting

    mutating func accepted(
        _ id: ConnectionID,
        local: TransportAddress,
        remote: TransportAddress,
        now: Instant
    ) {
        let living = connections.count { $0.candidate == nil && $0.stage == .open }
        guard phase == .waiting || phase == .checking, living < limits.acceptedConnections, index(of: id) == nil else {
            effects.append(.close(id))
            return
        }
        connections.removeAll { $0.candidate == nil && $0.stage == .closed }
        connections.append(
            Connection(id: id, remote: remote, candidate: nil, stage: .open, remotePriority: 0)
        )
        timers.insert(.authentication(id), at: now + limits.unauthenticatedTime)
    }

    mutating func authenticationDue(_ id: ConnectionID) {
        guard let index = index(of: id), connections[index].stage == .open else { return }
        guard !connections[index].isAuthentic else { return }
        connections[index].stage = .closed
        effects.append(.close(id))
    }

    // MARK: Ending

    mutating func closed(_ id: ConnectionID, now: Instant) {
        guard let index = index(of: id), connections[index].stage != .closed else { return }
        connections[index].stage = .closed
        if phase == .selected(id) {
            fail(.connectionLost)
        } else {
            lostCheck(on: id, now: now)
        }
    }

    /// Closes a connection from our side.
    mutating func drop(_ index: Int, now: Instant) {
        let id = connections[index].id
        connections[index].stage = .closed
        effects.append(.close(id))
        lostCheck(on: id, now: now)
    }

    private mutating func lostCheck(on id: ConnectionID, now: Instant) {
        if nominating == id {
            nominating = nil
            nominateBest(now: now)
        }
        evaluate(now: now)
    }

    /// Gives up after a while when nothing of our own can succeed any more.
    mutating func evaluate(now: Instant) {
        guard phase == .checking, !isNominated, !connections.contains(where: \.isPending) else {
            giveUpAt = nil
            return
        }
        guard giveUpAt == nil else { return }
        giveUpAt = now + limits.passiveWait
        timers.insert(.giveUp, at: now + limits.passiveWait)
    }

    mutating func giveUpDue(now: Instant) {
        guard phase == .checking, let giveUpAt, giveUpAt <= now else { return }
        let hasValidPair = connections.contains { $0.stage == .open && $0.check == .succeeded }
        fail(hasValidPair ? .noNomination : .noValidPair)
    }

    mutating func fail(_ failure: ICEFailure) {
        guard phase != .failed else { return }
        phase = .failed
        effects.append(.stopListening)
        for index in connections.indices where connections[index].stage != .closed {
            let wasQueued = connections[index].stage == .queued || connections[index].stage == .redialling
            connections[index].stage = .closed
            if !wasQueued { effects.append(.close(connections[index].id)) }
        }
        effects.append(.failed(failure))
    }

    // MARK: Selection

    mutating func select(_ id: ConnectionID, now: Instant) {
        guard phase == .waiting || phase == .checking else { return }
        phase = .selected(id)
        effects.append(.stopListening)
        for index in connections.indices {
            switch connections[index].stage {
            case .queued, .redialling:
                connections[index].stage = .closed
            case .connecting:
                connections[index].stage = .closed
                effects.append(.close(connections[index].id))
            case .open, .closed:
                break
            }
        }
        effects.append(.selected(id))
        timers.insert(.closeOthers, at: now + limits.linger)
        timers.insert(.keepalive, at: now + randomness.duration(in: limits.keepalive))
    }

    mutating func closeOthers() {
        guard case .selected(let selected) = phase else { return }
        for index in connections.indices where connections[index].id != selected {
            guard connections[index].stage == .open else { continue }
            connections[index].stage = .closed
            effects.append(.close(connections[index].id))
        }
        connections.removeAll { $0.id != selected }
    }

    mutating func sendKeepalive(now: Instant) {
        guard case .selected(let id) = phase else { return }
        let indication = STUNMessage(kind: .indication, transaction: newTransaction())
        effects.append(.send(id, indication.encode()))
        timers.insert(.keepalive, at: now + randomness.duration(in: limits.keepalive))
    }
}
