import Keys
import Runtime

/// Listening at the nodes closest to a key. Source: DHT protocol, "Listen".
extension NodeCore {
    /// Registers with the closest nodes, and again before they forget.
    func listen(_ search: Search, on ready: ArraySlice<Int>, now: Instant) {
        for listen in search.listens where listen.lingersUntil == nil {
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
            guard !listening.isPending, now >= listening.lastReply + listenRefresh else { return }
            socket = listening.socket
            search.nodes[position].listening[index].isPending = true
        } else {
            socket = drawTransaction()
            // Values may come before the confirmation.
            sockets[socket] = Socket(search: search.id, node: node.index, listen: listen.id)
            search.nodes[position].listening.append(
                SearchNode.Listening(listen: listen.id, socket: socket)
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
        search.nodes[position].listening[index].confirm(now)
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
        let gone = packet.expired.compactMap { search.listens[index].cache.remove($0, from: holder) }
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
        for listener in wanted.listens[index].listeners { report(news, to: listener) }
    }

    private func report(_ values: [Value], to listener: Listener) {
        let wanted = listener.filters.isEmpty ? values : values.filter(listener.filters.matches)
        if !wanted.isEmpty { events.append(.values(listener.operation, wanted)) }
    }

    /// Tells each listener of the end of what it was told of.
    private func report(_ gone: [ListenCache.Gone], expiredFor listen: Listen) {
        guard !gone.isEmpty else { return }
        for listener in listen.listeners {
            let ids = gone.filter { $0.value.map(listener.filters.matches) ?? true }.map(\.id)
            if !ids.isEmpty { events.append(.expired(listener.operation, ids)) }
        }
    }

    /// A value was stored on this node: its own listeners hear of it too.
    func hearOwn(_ value: Value, at key: InfoHash, now: Instant) {
        guard let wanted = wanted(at: key) else { return }
        for index in wanted.listens.indices { add([value], from: .own, to: wanted, index, now: now) }
    }

    func forgetOwn(_ id: UInt64, at key: InfoHash) {
        guard let wanted = wanted(at: key) else { return }
        for index in wanted.listens.indices {
            guard let gone = wanted.listens[index].cache.remove(id, from: .own) else { continue }
            report([gone], expiredFor: wanted.listens[index])
        }
    }

    func refreshOwn(_ id: UInt64, at key: InfoHash, now: Instant) {
        guard let wanted = wanted(at: key) else { return }
        for index in wanted.listens.indices { wanted.listens[index].cache.refresh(id, by: .own, now: now) }
    }

    // MARK: Sharing

    /// Adds a listener to a listening that hears all that it asks for, or to a new one.
    func join(_ wanted: Wanted, at key: InfoHash, operation: OperationID, filters: [ValueFilter], now: Instant) {
        let listener = Listener(operation: operation, filters: filters)
        let query = Query(filters: filters).onWire
        let known = wanted.listens.firstIndex { query.isSatisfied(by: $0.query) && $0.cache.isComplete }
        if let index = known {
            wanted.listens[index].listeners.append(listener)
            wanted.listens[index].lingersUntil = nil
            report(wanted.listens[index].cache.values(at: now), to: listener)
            return
        }
        let cacheLimits = ListenCache.Limits(
            values: limits.heardValues,
            variants: limits.heardVariants,
            bytes: limits.heardBytes
        )
        let cache = ListenCache(limits: cacheLimits)
        wanted.listens.append(Listen(id: takeNumber(), query: query, listeners: [listener], cache: cache))
        let own = storage.values(at: key).map(\.value)
        add(own, from: .own, to: wanted, wanted.listens.count - 1, now: now)
    }

    /// The last listener leaves the listening for a while: others may come soon, and asking anew costs more.
    func leave(_ wanted: Wanted, operation: OperationID, now: Instant) {
        for index in wanted.listens.indices {
            guard let position = wanted.listens[index].listeners.firstIndex(where: { $0.operation == operation }) else {
                continue
            }
            wanted.listens[index].listeners.remove(at: position)
            if wanted.listens[index].listeners.isEmpty {
                wanted.listens[index].lingersUntil = now + Timing.listenLinger
            }
        }
    }

    /// What a get would find, if a listening knows that; `nil` when the network has to be asked.
    ///
    /// All nodes that the listening has to do with must have confirmed it a while ago, so that what they pushed then has
    /// arrived even if it got lost at first.
    func heardValues(_ query: Query, in wanted: Wanted, at key: InfoHash, now: Instant) -> [Value]? {
        let searches = searches(at: key).filter { connected.includes($0.family) }
        guard !searches.isEmpty else { return nil }
        // Whole values answer queries for fields, too.
        let query = Query(filters: query.filters)
        let known = wanted.listens.first { listen in
            query.isSatisfied(by: listen.query) && listen.cache.isComplete
                && searches.allSatisfy { isSynced(listen, in: $0, now: now) }
        }
        return known?.cache.values(at: now)
    }

    private func isSynced(_ listen: Listen, in search: Search, now: Instant) -> Bool {
        let front = reachPositions(of: search).prefix(Timing.listenNodes)
        return !front.isEmpty
            && front.allSatisfy { position in
                let node = search.nodes[position]
                guard node.isSynced(at: now), let state = node.listening.first(where: { $0.listen == listen.id }) else {
                    return false
                }
                return now - state.lastReply < Timing.listenRefresh * 2
                    && now - state.firstReply >= Timing.listenSettling
            }
    }

    // MARK: The end

    /// Others need the room.
    func endAllLingering(now: Instant) {
        for search in searches.values {
            for index in search.listens.indices where search.listens[index].lingersUntil != nil {
                search.listens[index].lingersUntil = now
            }
            endLingering(search, now: now)
        }
    }

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
