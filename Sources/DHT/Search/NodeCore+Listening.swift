import Keys
import Runtime

/// Listening at the nodes closest to a key. Source: DHT protocol, "Listen".
extension NodeCore {
    /// Registers with the closest nodes, and again before they forget.
    func listen(_ search: Search, on ready: ArraySlice<Int>, now: Instant) {
        for listen in search.listens {
            for position in ready.prefix(Timing.listenNodes) {
                self.listen(listen, search, position, now: now)
            }
        }
        for index in search.listens.indices {
            let gone = search.listens[index].cache.expire(at: now)
            report(gone, expiredFor: search.listens[index])
        }
    }

    private func listen(_ listen: Listen, _ search: Search, _ position: Int, now: Instant) {
        let node = search.nodes[position]
        let socket: UInt32
        if let index = node.listening.firstIndex(where: { $0.listen == listen.id }) {
            let listening = node.listening[index]
            guard !listening.isPending, now >= listening.lastReply + Timing.listenRefresh else { return }
            socket = listening.socket
            search.nodes[position].listening[index].isPending = true
        } else {
            socket = drawTransaction()
            // Values may come before the confirmation.
            sockets[socket] = Socket(search: search.id, node: node.index, listen: listen.id)
            search.nodes[position].listening.append(
                SearchNode.Listening(listen: listen.id, socket: socket, isPending: true, lastReply: .longAgo)
            )
        }
        let key = search.key
        let purpose = Request.Purpose.listen(search: search.id, listen: listen.id, socket: socket)
        let sent = send(purpose, to: node.index, now: now) {
            writer.listen($0, key: key, socket: socket, query: listen.query.onWire, token: node.token, to: &$1)
        }
        if sent == nil, let index = search.nodes[position].listening.firstIndex(where: { $0.socket == socket }) {
            search.nodes[position].listening[index].isPending = false
        }
    }

    func confirmListen(
        _ id: SearchID,
        _ socket: UInt32,
        _ packet: Packet,
        _ bytes: RawSpan,
        node: NodeIndex,
        now: Instant
    ) {
        guard let search = searches[id], let position = search.position(of: node),
            let index = search.nodes[position].listening.firstIndex(where: { $0.socket == socket })
        else { return }
        search.nodes[position].isCandidate = false
        search.nodes[position].listening[index].isPending = false
        search.nodes[position].listening[index].lastReply = now
        renewToken(packet, bytes, search, position)
        mark(search)
    }

    private func renewToken(_ packet: Packet, _ bytes: RawSpan, _ search: Search, _ position: Int) {
        guard let range = packet.token, (1...WireConstants.longestToken).contains(range.count) else { return }
        search.nodes[position].token = bytes.copy(range)
    }

    // MARK: Sockets

    /// An open socket of ours, if it is open to this node.
    func socket(_ number: UInt32, of sender: InfoHash) -> Socket? {
        guard let socket = sockets[number], nodes[socket.node].id == sender else { return nil }
        return socket
    }

    /// Forgets a registration and what was heard through it.
    ///
    /// The caller has taken it out of its node.
    func close(_ listening: SearchNode.Listening, of node: NodeIndex, in search: Search, now: Instant) {
        guard sockets.removeValue(forKey: listening.socket) != nil,
            let index = search.listens.firstIndex(where: { $0.id == listening.listen })
        else { return }
        let gone = search.listens[index].cache.remove(holder: .node(node))
        report(gone, expiredFor: search.listens[index])
    }

    func closeSockets(of node: NodeIndex, now: Instant) {
        for search in searches(of: nodes[node].family) where !search.listens.isEmpty {
            guard let position = search.position(of: node) else { continue }
            let listening = search.nodes[position].listening
            search.nodes[position].listening = []
            for one in listening { close(one, of: node, in: search, now: now) }
        }
    }

    // MARK: What is heard

    /// Takes an update, or a message of the oldest protocol that stands for one.
    func hear(_ packet: Packet, values: [Value], socket number: UInt32, now: Instant) {
        guard let socket = sockets[number], let search = searches[socket.search],
            let index = search.listens.firstIndex(where: { $0.id == socket.listen })
        else { return }
        let holder = ListenCache.Holder.node(socket.node)
        add(values, from: holder, to: search.wanted, index, now: now)
        for id in packet.refreshed { search.listens[index].cache.refresh(id, by: holder, now: now) }
        let gone = packet.expired.filter { search.listens[index].cache.remove($0, from: holder) }
        report(gone, expiredFor: search.listens[index])
        wake(search, at: now + Timing.listenSweep)
    }

    private func add(
        _ values: [Value],
        from holder: ListenCache.Holder,
        to wanted: Wanted,
        _ index: Int,
        now: Instant
    ) {
        let query = wanted.listens[index].query
        let news = values.filter { value in
            query.matches(value)
                && wanted.listens[index].cache.add(value, lifetime: types.lifetime(of: value), from: holder, now: now)
        }
        guard !news.isEmpty else { return }
        for operation in wanted.listens[index].operations { events.append(.values(operation, news)) }
    }

    private func report(_ ids: [UInt64], expiredFor listen: Listen) {
        guard !ids.isEmpty else { return }
        for operation in listen.operations { events.append(.expired(operation, ids)) }
    }

    /// A value was stored on this node: its own listeners hear of it too.
    func hearOwn(_ value: Value, at key: InfoHash, now: Instant) {
        guard let wanted = wanted(at: key) else { return }
        for index in wanted.listens.indices { add([value], from: .own, to: wanted, index, now: now) }
    }

    func forgetOwn(_ id: UInt64, at key: InfoHash) {
        guard let wanted = wanted(at: key) else { return }
        for index in wanted.listens.indices where wanted.listens[index].cache.remove(id, from: .own) {
            report([id], expiredFor: wanted.listens[index])
        }
    }

    func refreshOwn(_ id: UInt64, at key: InfoHash, now: Instant) {
        guard let wanted = wanted(at: key) else { return }
        for index in wanted.listens.indices { wanted.listens[index].cache.refresh(id, by: .own, now: now) }
    }

    // MARK: The end

    /// Ends listenings whose last listener left a while ago; nobody needs to be told.
    func endLingering(_ search: Search, now: Instant) {
        let ended = search.listens.filter { $0.lingersUntil.map { $0 <= now } == true }.map(\.id)
        guard !ended.isEmpty else { return }
        for search in searches(at: search.key) {
            for position in search.nodes.indices {
                for listening in search.nodes[position].listening where ended.contains(listening.listen) {
                    sockets[listening.socket] = nil
                }
                search.nodes[position].listening.removeAll { ended.contains($0.listen) }
            }
        }
        search.listens.removeAll { ended.contains($0.id) }
    }
}
