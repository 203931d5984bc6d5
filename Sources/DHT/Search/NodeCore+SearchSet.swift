import Keys
import Runtime

/// Which searches there are, and which nodes each may use. Source: DHT protocol, "Searches".
extension NodeCore {
    // MARK: The set of searches

    /// The searches for a key in all families, made if they are not there; fewer or none when there are too many.
    func searches(for key: InfoHash, now: Instant) -> [Search] {
        let ids = families.members.map { SearchID(key: key, family: $0) }
        // Before any of them is made, since one that is not used yet would be dropped to make room for the next.
        for id in ids { makeRoom(for: id, now: now) }
        return ids.compactMap { foundOrMade($0, now: now) }
    }

    func search(for id: SearchID, now: Instant) -> Search? {
        makeRoom(for: id, now: now)
        return foundOrMade(id, now: now)
    }

    private func makeRoom(for id: SearchID, now: Instant) {
        guard searches[id] == nil, states[id.family].searchOrder.count >= limits.searches else { return }
        endAllLingering(now: now)
        dropIdleSearches(now: now, idle: .zero)
    }

    /// The search of an id, made if there is room.
    private func foundOrMade(_ id: SearchID, now: Instant) -> Search? {
        if let search = searches[id] { return search }
        guard states[id.family].searchOrder.count < limits.searches else { return nil }
        let search = Search(id: id, wanted: wanted(at: id.key) ?? Wanted(), now: now)
        searches[id] = search
        states[id.family].searchOrder.insert(id.key, at: searchPosition(of: id.key, family: id.family))
        return search
    }

    /// The searches for a key that are there.
    func searches(at key: InfoHash) -> [Search] {
        families.members.compactMap { searches[SearchID(key: key, family: $0)] }
    }

    func wanted(at key: InfoHash) -> Wanted? {
        searches[SearchID(key: key, family: .ipv4)]?.wanted ?? searches[SearchID(key: key, family: .ipv6)]?.wanted
    }

    private func searchPosition(of key: InfoHash, family: Endpoint.Family) -> Int {
        let searchOrder = states[family].searchOrder
        var low = 0
        var high = searchOrder.count
        while low < high {
            let middle = (low + high) / 2
            if searchOrder[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func dropIdleSearches(now: Instant, idle: Duration) {
        for family in families.members {
            let dropped = searches(of: family).filter { !$0.isActive && now - $0.lastStep >= idle }
            guard !dropped.isEmpty else { continue }
            for search in dropped { searches[search.id] = nil }
            states[family].searchOrder.removeAll { searches[SearchID(key: $0, family: family)] == nil }
        }
    }

    /// The searches of a family, in the order of their keys.
    func searches(of family: Endpoint.Family) -> [Search] {
        states[family].searchOrder.compactMap { searches[SearchID(key: $0, family: family)] }
    }

    /// Has a search run before the current input is done with.
    func mark(_ search: Search) {
        guard !search.isDirty else { return }
        search.isDirty = true
        dirtySearches.append(search.id)
    }

    func markAllSearches() {
        for family in families.members {
            for search in searches(of: family) where search.isActive { mark(search) }
        }
    }

    func markSearches(of node: NodeIndex) {
        for search in searches(of: nodes[node].family) where search.isActive && search.position(of: node) != nil {
            mark(search)
        }
    }

    func wake(_ search: Search, at time: Instant) {
        // What is overdue and cannot be done yet must not keep the core busy.
        let time = max(time, search.lastStep + Timing.stepPause)
        guard time < search.wake else { return }
        search.wake = time
        timers.insert(.search(search.id), at: time)
    }

    func searchDue(_ id: SearchID, now: Instant) {
        guard let search = searches[id], search.wake <= now else { return }
        search.wake = .distantFuture
        mark(search)
    }

    // MARK: Nodes of a search

    /// Offers a new node to the searches whose keys are near it.
    func offerToSearches(_ node: NodeIndex, now: Instant) {
        let family = nodes[node].family
        let order = states[family].searchOrder
        let start = searchPosition(of: nodes[node].id, family: family)
        var up = start
        while up < order.count, let search = searches[SearchID(key: order[up], family: family)] {
            if !insert(node, into: search, now: now), search.isActive { break }
            up += 1
        }
        var down = start - 1
        while down >= 0, let search = searches[SearchID(key: order[down], family: family)] {
            if !insert(node, into: search, now: now), search.isActive { break }
            down -= 1
        }
    }

    func isBad(_ node: SearchNode) -> Bool {
        node.isCandidate || nodes[node.index].isExpired
    }

    /// Puts a node into its place; whether it is close enough to be there.
    @discardableResult
    func insert(_ index: NodeIndex, into search: Search, now: Instant) -> Bool {
        let node = nodes[index]
        guard !node.isClient else { return false }
        guard search.position(of: index) == nil else { return true }
        var place = 0
        var usable = 0
        while place < search.nodes.count, search.nodes[place].id.isCloser(to: search.key, than: node.id) {
            if !isBad(search.nodes[place]) { usable += 1 }
            place += 1
        }
        guard usable < Timing.searchNodes, !node.isExpired else { return false }
        search.nodes.insert(SearchNode(index: index, id: node.id), at: place)
        trim(search, now: now)
        if search.isActive { mark(search) }
        return true
    }

    /// Keeps no more nodes than a search needs: the closest that are of use, and some that may come back.
    private func trim(_ search: Search, now: Instant) {
        var usable = 0
        var bad = 0
        var end = 0
        while end < search.nodes.count {
            if isBad(search.nodes[end]) { bad += 1 } else { usable += 1 }
            guard usable <= Timing.searchNodes, bad <= Timing.toleratedBadNodes else { break }
            end += 1
        }
        while search.nodes.count > end {
            let removed = search.nodes.removeLast()
            for listening in removed.listening { close(listening, of: removed.index, in: search, now: now) }
        }
    }

    func refill(_ search: Search, now: Instant) {
        search.lastRefill = now
        for index in nodes.near(search.key, family: search.family, count: Timing.searchNodes) {
            insert(index, into: search, now: now)
        }
    }
}
