import Keys
import MessagePack
package import Runtime

/// Requests of others. Source: DHT protocol, "Messages" and "Storage".
extension NodeCore {
    func serve(
        _ method: Method,
        _ packet: Packet,
        _ bytes: RawSpan,
        values: [Value],
        node: NodeIndex?,
        from sender: Endpoint,
        now: Instant
    ) {
        switch method {
        case .ping: acknowledge(packet, to: sender)
        case .find: serveFind(packet, to: sender, now: now)
        case .get: serveGet(packet, node: node, to: sender, now: now)
        case .put: servePut(packet, bytes, values: values, from: sender, now: now)
        case .refresh: serveRefresh(packet, bytes, from: sender, now: now)
        case .listen: serveListen(packet, bytes, node: node, from: sender, now: now)
        case .update: serveUpdate(packet, bytes, values: values, node: node, from: sender, now: now)
        }
    }

    // MARK: Answers

    private func acknowledge(_ packet: Packet, to sender: Endpoint, token: [UInt8]? = nil) {
        outbox.send(to: sender) { self.writer.acknowledgement(packet.transaction, to: sender, token: token, to: &$0) }
    }

    func fail(_ packet: Packet, _ failure: ProtocolFailure, to sender: Endpoint) {
        outbox.send(to: sender) { self.writer.failure(packet.transaction, failure, to: &$0) }
    }

    func accepts(_ packet: Packet, _ bytes: RawSpan, from sender: Endpoint) -> Bool {
        guard let range = packet.token else { return false }
        return tokens.accepts(bytes, at: range, from: sender)
    }

    private func answer(_ packet: Packet, target: InfoHash, to sender: Endpoint, now: Instant) -> PacketWriter.Answer {
        var answer = PacketWriter.Answer(token: tokens.token(for: sender))
        let want = packet.want ?? Endpoint.Families(sender.family)
        if want.contains(.ipv4) { answer.nodes4 = closest(to: target, in: .ipv4, now: now) }
        if want.contains(.ipv6) { answer.nodes6 = closest(to: target, in: .ipv6, now: now) }
        return answer
    }

    private func closest(to target: InfoHash, in family: Endpoint.Family, now: Instant) -> [Contact] {
        states[family].table.closest(to: target, count: WireConstants.nodesPerList, nodes: nodes, now: now)
    }

    // MARK: Reading

    private func serveFind(_ packet: Packet, to sender: Endpoint, now: Instant) {
        let answer = answer(packet, target: packet.target, to: sender, now: now)
        outbox.send(to: sender) { self.writer.answer(packet.transaction, answer, to: sender, to: &$0) }
    }

    private func serveGet(_ packet: Packet, node: NodeIndex?, to sender: Endpoint, now: Instant) {
        guard !packet.key.isZero else { return fail(packet, .noKey(.get), to: sender) }
        var answer = answer(packet, target: packet.key, to: sender, now: now)
        if let query = packet.query, !query.fields.isEmpty {
            let found = storage.values(at: packet.key).filter { query.matches($0.value) }
            if !found.isEmpty { answer.rows = (query.fields, rows(of: found, fields: query.fields)) }
        } else {
            guard let values = values(for: packet, of: node, at: sender, now: now) else { return }
            answer.values = OutgoingValues(values)
        }
        outbox.send(to: sender) { self.writer.answer(packet.transaction, answer, to: sender, to: &$0) }
        sendParts(of: answer.values, packet.transaction, to: sender)
    }

    /// As many values as their fields fit into one datagram.
    private func rows(of found: [Storage.Stored], fields: [ValueField]) -> [Value] {
        let fixed = fields.reduce(0) { $0 + $1.mostBytes }
        let hasUserType = fields.contains(.userType)
        var left = limits.rowBytes
        return found.prefix { stored in
            left -= fixed + (hasUserType ? stored.value.userType.utf8.count : 0)
            return left >= 0
        }
        .map(\.value)
    }

    /// The values for an answer; `nil` when the requester has to wait since it got so much already.
    private func values(for packet: Packet, of node: NodeIndex?, at sender: Endpoint, now: Instant) -> [[UInt8]]? {
        let isVerified = node.map { nodes[$0].endpoint == sender && nodes[$0].isGood(at: now) } ?? false
        let limit = isVerified ? limits.answerBytes : limits.unverifiedAnswerBytes
        let found = storage.newestValues(at: packet.key, matching: packet.query, limit: limit)
        guard found.size > 0 else { return [] }
        guard answerRates.admit(sender, cost: found.size, now: now) else {
            counters.limited += 1
            return nil
        }
        // Once it has answered a ping it may ask for more.
        if let node, !isVerified, !found.isAll, nodes[node].pendingRequests == 0 { ping(node, now: now) }
        return found.encoded
    }

    // MARK: Writing

    private func servePut(
        _ packet: Packet,
        _ bytes: RawSpan,
        values: [Value],
        from sender: Endpoint,
        now: Instant
    ) {
        guard !packet.key.isZero else { return fail(packet, .noKey(.put), to: sender) }
        guard accepts(packet, bytes, from: sender) else { return fail(packet, .wrongToken(.put), to: sender) }
        let isTooFar = isTooFar(packet.key, for: sender.family, now: now)
        for value in values {
            guard value.id != 0 else {
                fail(packet, .invalidID, to: sender)
                continue
            }
            if !isTooFar { consider(value, at: packet.key, created: packet.created, from: sender, now: now) }
            // What became of the value is nobody's business: the confirmation only says that it came.
            outbox.send(to: sender) {
                self.writer.confirmation(packet.transaction, of: value.id, to: sender, to: &$0)
            }
        }
    }

    /// Whether others are so much closer to a key that nobody would look for its values here.
    private func isTooFar(_ key: InfoHash, for family: Endpoint.Family, now: Instant) -> Bool {
        states[family].table.isFar(from: key, closest: Timing.searchNodes, nodes: nodes, now: now)
    }

    private func consider(_ value: Value, at key: InfoHash, created: Int64?, from sender: Endpoint, now: Instant) {
        let age = created.map { max(unixSeconds(now) &- $0, 0) } ?? 0
        let lifetime = types.lifetime(of: value) - .seconds(min(age, 1 << 32))
        guard lifetime > .zero else { return }
        let expires = now + lifetime
        let stored = storage.value(value.id, at: key)?.value
        let size = storage.limits.valueSize
        switch StorePolicy.decide(value, at: key, over: stored, from: sender, maximumSize: size, types: types) {
        case .refuse:
            break
        case .refresh:
            extend(value, at: key, until: expires, now: now)
        case .store(let value):
            store(value, at: key, expires: expires, group: sender.quotaGroup, now: now)
        case .check(let check):
            // The same value comes again while its check runs, when the confirmation got lost.
            guard checks.count < limits.pendingChecks, !checks.values.contains(where: { $0.check == check }) else {
                return
            }
            let number = takeNumber()
            checks[number] = PendingCheck(check: check, expires: expires, group: sender.quotaGroup)
            events.append(.check(number, check))
        }
    }

    /// Says whether a check that ``NodeEvent/check(_:_:)`` asked for passed.
    package func finishCheck(_ number: UInt64, isPassed: Bool, now: Instant) {
        guard let pending = checks.removeValue(forKey: number), isPassed else { return }
        let check = pending.check
        // Another value may have come meanwhile.
        let stored = storage.value(check.value.id, at: check.key)?.value
        if let stored {
            guard !stored.hasSameContent(as: check.value) else { return }
            let isEdition = stored.isSigned && check.value.isSigned && stored.owner == check.value.owner
            let isHigher = isEdition && check.value.sequence > stored.sequence
            guard isHigher || check.test == .certificate(replacing: stored.data) else { return }
        }
        store(check.value, at: check.key, expires: pending.expires, group: pending.group, now: now)
        settle(now)
    }

    func store(_ value: Value, at key: InfoHash, expires: Instant, group: UInt64?, now: Instant) {
        let replaced = storage.value(value.id, at: key)
        guard replaced != nil || storage.hasRoom(at: key) else { return }
        // What we put ourselves stays ours, whoever sends a new edition of it.
        let group = replaced.map(\.group) ?? group
        let removed = storage.store(value, at: key, expires: expires, group: group)
        report(removed: removed, now: now)
        guard storage.value(value.id, at: key) != nil else { return }
        tellListeners(of: value, at: key, now: now)
    }

    private func extend(_ value: Value, at key: InfoHash, until expires: Instant, now: Instant) {
        storage.extend(value.id, at: key, until: expires)
        refreshOwn(value.id, at: key, now: now)
        tellListeners(.refreshed, [value.id], at: key, now: now)
    }

    private func serveRefresh(_ packet: Packet, _ bytes: RawSpan, from sender: Endpoint, now: Instant) {
        guard accepts(packet, bytes, from: sender) else { return fail(packet, .wrongToken(.refresh), to: sender) }
        guard let stored = storage.value(packet.valueID, at: packet.key) else {
            return fail(packet, .unknownStorage, to: sender)
        }
        let expires = now + types.lifetime(of: stored.value)
        extend(stored.value, at: packet.key, until: expires, now: now)
        outbox.send(to: sender) {
            self.writer.confirmation(packet.transaction, of: packet.valueID, to: sender, to: &$0)
        }
    }

    // MARK: Listeners

    private func serveListen(
        _ packet: Packet,
        _ bytes: RawSpan,
        node: NodeIndex?,
        from sender: Endpoint,
        now: Instant
    ) {
        guard !packet.key.isZero else { return fail(packet, .noKey(.listen), to: sender) }
        guard accepts(packet, bytes, from: sender) else { return fail(packet, .wrongToken(.listen), to: sender) }
        let token = tokens.token(for: sender)
        defer { acknowledge(packet, to: sender, token: token) }
        guard let node else { return }
        let listener = Storage.Listener(
            node: node,
            socket: packet.socket,
            query: packet.query ?? Query(),
            refreshed: now,
            isLegacy: packet.version == 0,
            group: sender.quotaGroup
        )
        guard storage.listen(listener, at: packet.key) == true else { return }
        let found = storage.values(at: packet.key).filter { listener.query.matches($0.value) }
        push(found.map(\.encoded), to: listener, at: packet.key, now: now)
    }

    /// Sends values to a listener, in as many updates as they need.
    private func push(_ values: [[UInt8]], to listener: Storage.Listener, at key: InfoHash, now: Instant) {
        var batch: [[UInt8]] = []
        var total = 0
        for value in values {
            if !batch.isEmpty, total + value.count > limits.updateBytes {
                pushBatch(batch, to: listener, at: key, now: now)
                batch = []
                total = 0
            }
            batch.append(value)
            total += value.count
        }
        if !batch.isEmpty { pushBatch(batch, to: listener, at: key, now: now) }
    }

    private func pushBatch(_ values: [[UInt8]], to listener: Storage.Listener, at key: InfoHash, now: Instant) {
        let outgoing = OutgoingValues(values)
        let receiver = nodes[listener.node].endpoint
        // Who listens a thousand times and puts a thousand values would have a million updates sent to it.
        let cost = values.reduce(limits.leastUpdateCost) { $0 + $1.count }
        guard answerRates.admit(receiver, cost: cost, now: now) else {
            counters.limited += 1
            return
        }
        let token = tokens.token(for: receiver)
        if listener.isLegacy {
            var answer = PacketWriter.Answer(token: token)
            answer.values = outgoing
            outbox.send(to: receiver) { self.writer.answer(listener.socket, answer, to: receiver, to: &$0) }
            sendParts(of: outgoing, listener.socket, to: receiver)
            return
        }
        send(.update, to: listener.node, values: outgoing, now: now) {
            writer.update($0, key: key, socket: listener.socket, values: outgoing, token: token, to: &$1)
        }
    }

    /// Tells those who listen at a key, here and elsewhere, of a value that is new.
    func tellListeners(of value: Value, at key: InfoHash, now: Instant) {
        hearOwn(value, at: key, now: now)
        let listeners = storage.listeners(at: key)
        guard !listeners.isEmpty else { return }
        let encoded = [value.encoded]
        for listener in listeners where !nodes[listener.node].isExpired && listener.query.matches(value) {
            push(encoded, to: listener, at: key, now: now)
        }
    }

    func tellListeners(_ change: ValueChange, _ ids: [UInt64], at key: InfoHash, now: Instant) {
        for listener in storage.listeners(at: key) where !nodes[listener.node].isExpired && !listener.isLegacy {
            let receiver = nodes[listener.node].endpoint
            guard answerRates.admit(receiver, cost: limits.leastUpdateCost, now: now) else {
                counters.limited += 1
                continue
            }
            let token = tokens.token(for: receiver)
            send(.update, to: listener.node, now: now) {
                writer.update($0, socket: listener.socket, change: change, ids: ids, token: token, to: &$1)
            }
        }
    }

    private func serveUpdate(
        _ packet: Packet,
        _ bytes: RawSpan,
        values: [Value],
        node: NodeIndex?,
        from sender: Endpoint,
        now: Instant
    ) {
        acknowledge(packet, to: sender)
        guard let socket = socket(packet.socket, of: packet.sender) else { return }
        if let range = packet.token, (1...WireConstants.longestToken).contains(range.count),
            let search = searches[socket.search], let position = search.position(of: socket.node)
        {
            search.nodes[position].token = bytes.copy(range)
        }
        hear(packet, values: values, socket: packet.socket, now: now)
    }

    // MARK: The end of values

    func expireStorage(now: Instant) {
        storageWake = .distantFuture
        while let gone = storage.expireOne(at: now) { report(removed: [gone], now: now) }
    }

    func removeStored(_ places: [(key: InfoHash, id: UInt64)], now: Instant) {
        report(removed: places.filter { storage.remove($0.id, at: $0.key) }, now: now)
    }

    func report(removed: [(key: InfoHash, id: UInt64)], now: Instant) {
        for (key, id) in removed {
            forgetOwn(id, at: key)
            tellListeners(.expired, [id], at: key, now: now)
        }
    }
}
