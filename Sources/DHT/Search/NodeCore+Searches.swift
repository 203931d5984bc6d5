import Keys
import Runtime

/// Steps of searches. Source: DHT protocol, "Searches".
extension NodeCore {
    // MARK: Step

    /// Does what can be done now, and states when to go on.
    func step(_ search: Search, now: Instant) {
        search.lastStep = now
        guard search.isActive else { return }
        endOverdue(search, now: now)
        guard states[search.family].status != .connecting else {
            finishEnded(search, now: now)
            return wakeForDeadlines(search)
        }
        if now - search.lastRefill > .seconds(600) || search.nodes.isEmpty,
            search.nodes.count(where: { !isBad($0) }) < Timing.searchNodes
        {
            refill(search, now: now)
        }
        let reach = reachPositions(of: search)
        let front = reach.prefix(Timing.target)
        let synced = front.prefix { search.nodes[$0].isSynced(at: now) }
        let isSynced = !front.isEmpty && synced.count == front.count
        // Before all are synced, the closest ones may already be told, save the last, which may yet lose its place.
        let ready = isSynced ? synced[...] : synced.count >= 2 ? synced.dropLast() : []
        if isSynced {
            search.isLookup = false
            endGets(of: search, front: front, reach: reach, now: now)
        }
        announce(search, on: ready, isSynced: isSynced, now: now)
        listen(search, on: ready, now: now)
        ask(search, front: front, reach: reach, now: now)
        if isSynced { watch(search, front: front, now: now) }
        if hasFailed(search) { expire(search, now: now) }
        finishEnded(search, now: now)
        schedule(search, front: front, now: now)
    }

    /// The positions of the nodes that are of use, the closest first.
    func reachPositions(of search: Search) -> [Int] {
        var reach: [Int] = []
        reach.reserveCapacity(Timing.searchNodes)
        for position in search.nodes.indices where !isBad(search.nodes[position]) {
            reach.append(position)
            if reach.count == Timing.searchNodes { break }
        }
        return reach
    }

    /// Ends the gets that all nodes have answered who may know: the closest, and more if these have nothing.
    ///
    /// Where many nodes come, or a network has just grown together, values are found a little farther away.
    private func endGets(of search: Search, front: ArraySlice<Int>, reach: [Int], now: Instant) {
        for index in search.gets.indices where search.gets[index].parts.open.includes(search.family) {
            let get = search.gets[index]
            let asked = get.hasFound ? front : reach[...]
            guard asked.allSatisfy({ search.nodes[$0].answered.contains(get.operation) }) else { continue }
            if !get.hasFound, let hope = hope(of: search, before: reach.last ?? 0, now: now) {
                wake(search, at: hope)
                continue
            }
            search.gets[index].parts.end(search.family, succeeded: true)
        }
    }

    /// Until when it is worth waiting for nodes whose answers are late.
    private func hope(of search: Search, before end: Int, now: Instant) -> Instant? {
        let late = search.nodes.prefix(end).filter { node in
            node.isCandidate && node.isBusy && !nodes[node.index].isExpired
        }
        return late.map { $0.lastAsked + Timing.hope }.filter { $0 > now }.max()
    }

    /// Ends the operations that are over in all families that matter.
    private func finishEnded(_ search: Search, now: Instant) {
        if search.gets.contains(where: { $0.parts.areOver(connected: connected) }) {
            search.gets.removeAll { get in
                guard get.parts.areOver(connected: connected) else { return false }
                self.finish(get, of: search, succeeded: get.parts.hasSucceeded)
                return true
            }
        }
        finishEndedAnnounces(of: search, now: now)
    }

    /// The caller takes the get out of its search.
    private func finish(_ get: Get, of search: Search, succeeded: Bool) {
        forget(get.operation, in: search.key)
        operations[get.operation] = nil
        events.append(.finished(get.operation, succeeded: succeeded))
    }

    /// Forgets which nodes have answered a get.
    func forget(_ get: OperationID, in key: InfoHash) {
        for search in searches(at: key) {
            for position in search.nodes.indices { search.nodes[position].answered.removeAll { $0 == get } }
        }
    }

    /// Asks the closest nodes that have not answered yet, a few at a time.
    private func ask(_ search: Search, front: ArraySlice<Int>, reach: [Int], now: Instant) {
        var waiting = reach.count { search.nodes[$0].isBusy }
        for position in reach where waiting < Timing.parallelGets {
            let node = search.nodes[position]
            guard !node.isBusy else { continue }
            let isFront = position <= front.last ?? -1
            let get = search.gets.first { !node.answered.contains($0.operation) && (isFront || !$0.hasFound) }
            let sent: UInt32?
            if let get {
                sent = ask(node, for: get, search, now: now)
            } else if isFront, !node.isSynced(at: now) {
                sent = find(search, node, now: now)
            } else {
                continue
            }
            search.nodes[position].pending = sent
            search.nodes[position].lastAsked = now
            waiting += 1
        }
    }

    private func ask(_ node: SearchNode, for get: Get, _ search: Search, now: Instant) -> UInt32? {
        let latest = OperationID(number: nextNumber)
        return send(.get(search: search.id, query: get.query, latest: latest), to: node.index, now: now) {
            writer.get($0, key: search.key, query: get.query, to: &$1)
        }
    }

    private func find(_ search: Search, _ node: SearchNode, now: Instant) -> UInt32? {
        // Whoever enters the network in one family may get to know the other through it.
        let isNews = search.isLookup && families == .both && !connected.includes(search.family.sibling)
        return send(.find(search: search.id), to: node.index, now: now) {
            writer.find($0, target: search.key, want: isNews ? .both : nil, to: &$1)
        }
    }

    /// Asks one of the closest nodes now and then who else is there, so that what is kept there or heard from there
    /// follows the nodes that come.
    private func watch(_ search: Search, front: ArraySlice<Int>, now: Instant) {
        guard search.isLasting else { return }
        if now >= search.lastWatch + Timing.watch,
            let position = front.filter({ !search.nodes[$0].isBusy }).randomElement(using: &randomness)
        {
            search.lastWatch = now
            search.nodes[position].pending = find(search, search.nodes[position], now: now)
            search.nodes[position].lastAsked = now
        }
        wake(search, at: search.lastWatch + Timing.watch)
    }

    /// Whether nobody is left to ask.
    private func hasFailed(_ search: Search) -> Bool {
        guard search.isActive else { return false }
        let gone = search.nodes.prefix { nodes[$0.index].isExpired }.count
        return gone >= min(search.nodes.count, Timing.toleratedBadNodes)
    }

    private func expire(_ search: Search, now: Instant) {
        for node in search.nodes {
            for listening in node.listening { close(listening, of: node.index, in: search, now: now) }
        }
        search.nodes.removeAll()
        search.isLookup = false
        for index in search.gets.indices { search.gets[index].parts.end(search.family, succeeded: false) }
        for index in search.announces.indices where !search.announces[index].isPermanent {
            search.announces[index].parts.end(search.family, succeeded: false)
        }
        // Permanent announces and listens go on when nodes turn up; they are looked for now and then.
        search.lastRefill = now
        if search.isActive, nodes.count(of: search.family) > 0 { wake(search, at: now + .seconds(10)) }
    }

    // MARK: Time

    /// Ends what took too long.
    private func endOverdue(_ search: Search, now: Instant) {
        if search.gets.contains(where: { $0.deadline <= now }) {
            search.gets.removeAll { get in
                guard get.deadline <= now else { return false }
                self.finish(get, of: search, succeeded: get.parts.hasSucceeded)
                return true
            }
        }
        for position in search.announces.indices where search.announces[position].deadline <= now {
            let announce = search.announces[position]
            guard !announce.isPermanent || !announce.waiting.isEmpty else { continue }
            finish(announce, succeeded: acknowledgements(of: announce.id, at: search.key) > 0)
            search.announces[position].waiting = []
        }
        remove(search.announces.filter { !$0.isPermanent && $0.deadline <= now }.map(\.id), at: search.key)
        endLingering(search, now: now)
    }

    private func wakeForDeadlines(_ search: Search) {
        for get in search.gets { wake(search, at: get.deadline) }
        for announce in search.announces where !announce.isPermanent || !announce.waiting.isEmpty {
            wake(search, at: announce.deadline)
        }
        for listen in search.listens {
            if let end = listen.lingersUntil { wake(search, at: end) }
        }
    }

    private func schedule(_ search: Search, front: ArraySlice<Int>, now: Instant) {
        guard search.isActive else { return }
        wakeForDeadlines(search)
        for listen in search.listens where !listen.cache.isEmpty { wake(search, at: now + Timing.listenSweep) }
        for position in front {
            let node = search.nodes[position]
            // A node that is not synced is being asked, and its answer brings the search here again.
            guard node.isSynced(at: now) else { continue }
            wake(search, at: node.lastGetReply + Timing.syncLifetime)
            for announce in search.announces where announce.isPermanent {
                if case .acknowledged(let time) = node.announcing[announce.id] {
                    wake(search, at: time + announce.refreshInterval)
                }
            }
        }
        for position in front.prefix(Timing.listenNodes) {
            for listening in search.nodes[position].listening
            where !listening.isPending && search.listens.contains(where: { $0.isRenewed(listening) }) {
                wake(search, at: max(listening.lastReply + listenRefresh, now + .seconds(1)))
            }
        }
    }

    // MARK: Answers

    func answerSearch(
        _ request: Request,
        _ id: SearchID,
        _ packet: Packet,
        _ bytes: RawSpan,
        values: [Value],
        node: NodeIndex,
        from sender: Endpoint,
        now: Instant
    ) {
        guard let search = searches[id], let position = search.position(of: node) else {
            learnNodes(packet, bytes, from: sender, for: nil, now: now)
            return
        }
        if search.nodes[position].pending == request.transaction { search.nodes[position].pending = nil }
        let token = packet.token.map { bytes.copy($0) } ?? []
        guard (1...WireConstants.longestToken).contains(token.count) else {
            blacklist(node, now: now)
            return
        }
        search.nodes[position].token = token
        search.nodes[position].lastGetReply = now
        search.nodes[position].isCandidate = false
        mark(search)
        switch request.purpose {
        case .get(_, let query, let latest):
            for get in search.gets where get.operation < latest && get.query == query {
                search.nodes[position].answered.append(get.operation)
            }
            deliver(values, to: search)
            // A node that cannot select answers with whole values.
            let rows =
                packet.fields.map { readRows(bytes.extracting($0)) }
                ?? values.map { FieldRow($0, fields: ValueField.allCases) }
            deliver(rows: rows, to: search.wanted) { $0.operation < latest && $0.query == query }
        case .page:
            deliver(values, to: search)
            let rows = packet.fields.map { readRows(bytes.extracting($0)) } ?? []
            pageAnswered(search, position, rows: rows, now: now)
        case .pageValue:
            deliver(values, to: search)
            pageValueAnswered(search, position, now: now)
        case .probe:
            search.nodes[position].isProbing = false
            let rows = packet.fields.map { readRows(bytes.extracting($0)) } ?? []
            probeAnswered(search, position, rows: rows, values: values, now: now)
        default:
            break
        }
        learnNodes(packet, bytes, from: sender, for: search, now: now)
    }

    private func readRows(_ bytes: RawSpan) -> [FieldRow] {
        (try? FieldRows.decode(bytes, limits: wireLimits)) ?? []
    }

    /// Hands rows to the queries that they answer.
    func deliver(rows: [FieldRow], to wanted: Wanted, where isAnswered: (Get) -> Bool) {
        guard !rows.isEmpty else { return }
        for position in wanted.gets.indices where isAnswered(wanted.gets[position]) {
            let filters = wanted.gets[position].asked.filters
            let news = rows.compactMap { wanted.gets[position].rows?.admit($0, filters) }
            if !news.isEmpty { events.append(.rows(wanted.gets[position].operation, news)) }
        }
    }

    /// Hands values to every get that asks for them.
    func deliver(_ values: [Value], to search: Search) {
        guard !values.isEmpty else { return }
        for position in search.gets.indices where search.gets[position].rows == nil {
            let news = values.filter { value in
                search.gets[position].asked.matches(value)
                    && search.gets[position].seen.insert(ValueMark(value)).inserted
            }
            if !news.isEmpty { events.append(.values(search.gets[position].operation, news)) }
        }
    }

    /// Others stand in for a node that takes its time.
    func requestIsSlow(_ request: Request) {
        guard let node = request.node, let id = request.search, let search = searches[id],
            let position = search.position(of: node)
        else { return }
        search.nodes[position].isCandidate = true
        mark(search)
    }

    /// A request will not be answered any more; what waited for it can try again.
    func requestEnded(_ request: Request, now: Instant) {
        guard let node = request.node, let id = request.search, let search = searches[id],
            let position = search.position(of: node)
        else { return }
        if search.nodes[position].pending == request.transaction { search.nodes[position].pending = nil }
        search.nodes[position].isCandidate = false
        switch request.purpose {
        case .probe:
            search.nodes[position].isProbing = false
            search.nodes[position].probed = []
            for announce in search.announces where search.nodes[position].announcing[announce.id] == .probing {
                search.nodes[position].announcing[announce.id] = nil
            }
        case .put(_, let announce), .refresh(_, let announce):
            search.nodes[position].announcing[announce] = nil
        case .listen(_, _, let socket):
            if let index = search.nodes[position].listening.firstIndex(where: { $0.socket == socket }) {
                let listening = search.nodes[position].listening.remove(at: index)
                close(listening, of: node, in: search, now: now)
            }
        case .page, .pageValue:
            search.nodes[position].paging = nil
        case .ping, .bootstrap, .maintenance, .find, .get, .update:
            break
        }
        mark(search)
    }

    /// The node does not know the token that it once gave.
    func tokenWasRefused(by node: NodeIndex, search id: SearchID, now: Instant) {
        nodes[node].authErrors &+= 1
        if nodes[node].authErrors > Node.toleratedAuthErrors { expireNode(node, now: now) }
        guard let search = searches[id], let position = search.position(of: node) else { return }
        search.nodes[position].token = []
        search.nodes[position].lastGetReply = .longAgo
        let listening = search.nodes[position].listening
        search.nodes[position].listening = []
        for one in listening { close(one, of: node, in: search, now: now) }
        mark(search)
    }
}
