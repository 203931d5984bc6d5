import Keys
package import Runtime

/// What keeps a node in the network. Source: DHT protocol, "Node life cycle".
extension NodeCore {
    // MARK: Bootstrap

    func bootstrapTime(_ now: Instant) -> Instant {
        now + bootstrapBackoff.next(using: &randomness)
    }

    func scheduleBootstrap(at time: Instant) {
        guard isStarted, !isBootstrapScheduled else { return }
        isBootstrapScheduled = true
        timers.insert(.bootstrap, at: time)
    }

    func bootstrapDue(now: Instant) {
        isBootstrapScheduled = false
        guard connected != families else { return }
        isResolving = true
        statusMayHaveChanged = true
        events.append(.bootstrapDue)
        for family in families.subtracting(connected).members { pingKnownNodes(of: family, now: now) }
        scheduleBootstrap(at: bootstrapTime(now))
    }

    /// New addresses are worth a try now.
    package func bootstrapNow(now: Instant) {
        bootstrapBackoff.reset()
        isResolving = true
        statusMayHaveChanged = true
        events.append(.bootstrapDue)
        settle(now)
    }

    func lookUpItself(in family: Endpoint.Family, now: Instant) {
        states[family].hasLookedUpItself = true
        guard let search = search(for: SearchID(key: id, family: family), now: now) else { return }
        search.isLookup = true
        mark(search)
    }

    /// Asks some nodes whether they are there, those first that are not known to be gone.
    ///
    /// Nodes that are gone may be back, as after a break of our own connection.
    func pingKnownNodes(of family: Endpoint.Family, now: Instant) {
        let near = nodes.near(.random(using: &randomness), family: family, count: Timing.target)
        let chosen = near.isEmpty ? nodes.sample(Timing.target, family: family, using: &randomness) : near
        for index in chosen where nodes[index].pendingRequests == 0 { ping(index, now: now) }
    }

    // MARK: Confirming

    func scheduleConfirm(at time: Instant) {
        guard isStarted, time < confirmAt else { return }
        confirmAt = time
        timers.insert(.confirm, at: time)
    }

    func confirmDue(now: Instant) {
        guard confirmAt <= now else { return }
        statusMayHaveChanged = true
        var hasSent = false
        let isIdle = searches.isEmpty
        for family in families.members {
            if isIdle, states[family].status == .connected { lookUpItself(in: family, now: now) }
            if maintain(family, now: now) { hasSent = true }
            if states[family].status == .connecting { pingKnownNodes(of: family, now: now) }
        }
        let pause = randomness.duration(in: hasSent ? Timing.confirmSoon : Timing.confirmLater)
        confirmAt = now + (status == .connecting ? Timing.connectingCheck : pause)
        timers.insert(.confirm, at: confirmAt)
    }

    private func maintain(_ family: Endpoint.Family, now: Instant) -> Bool {
        if maintainBuckets(of: family, now: now) { return true }
        guard now - states[family].table.grown < Timing.growthIsRecent else { return false }
        return maintainNeighbourhood(of: family, now: now)
    }

    /// Asks in buckets that have been silent.
    private func maintainBuckets(of family: Endpoint.Family, now: Instant) -> Bool {
        let table = states[family].table
        var hasSent = false
        for bucket in table.buckets.indices {
            let isSilent = now - table.buckets[bucket].lastReply > Timing.bucketSilence
            guard isSilent || table.buckets[bucket].nodes.isEmpty else { continue }
            let target = table.randomID(in: bucket, using: &randomness)
            guard let node = helper(for: bucket, in: table) else { continue }
            let want = want(near: target, besides: family)
            send(.maintenance, to: node, now: now) { writer.find($0, target: target, want: want, to: &$1) }
            hasSent = true
        }
        return hasSent
    }

    /// A node to ask about a bucket: one of it, or of a neighbour when it is empty, and sometimes anyway.
    private func helper(for bucket: Int, in table: RoutingTable) -> NodeIndex? {
        let isEmpty = table.buckets[bucket].nodes.isEmpty
        if !isEmpty, Int.random(in: 0..<8, using: &randomness) != 0 {
            return table.randomNode(in: bucket, nodes: nodes, using: &randomness)
        }
        for neighbour in [bucket + 1, bucket - 1] where table.buckets.indices.contains(neighbour) {
            if let node = table.randomNode(in: neighbour, nodes: nodes, using: &randomness) { return node }
        }
        return table.randomNode(in: bucket, nodes: nodes, using: &randomness)
    }

    /// The families to ask for: the other one too where few of its nodes are known, and now and then anyway.
    private func want(near target: InfoHash, besides family: Endpoint.Family) -> Endpoint.Families? {
        guard families == .both else { return nil }
        let sibling = states[family.sibling].table
        let isPoor = sibling.buckets[sibling.bucketIndex(of: target)].nodes.count < RoutingTable.bucketSize
        return isPoor || Int.random(in: 0..<Timing.wantsBothOneIn, using: &randomness) == 0 ? .both : nil
    }

    /// Asks near our own id while nodes keep coming there.
    private func maintainNeighbourhood(of family: Endpoint.Family, now: Instant) -> Bool {
        let table = states[family].table
        let own = table.ownBucket
        let target = id.takingBits(from: .random(using: &randomness), after: 152)
        let places = [own, own + 1, own - 1].filter(table.buckets.indices.contains)
        for place in places {
            guard let node = table.randomNode(in: place, nodes: nodes, using: &randomness) else { continue }
            let want = families == .both ? families : nil
            send(.maintenance, to: node, now: now) { writer.find($0, target: target, want: want, to: &$1) }
            return true
        }
        return false
    }

    // MARK: Sweeping

    func sweepDue(now: Instant) {
        timers.insert(.sweep, at: now + randomness.duration(in: Timing.sweep))
        for family in families.members {
            for node in states[family].table.dropExpired(nodes: nodes) { ping(node, now: now) }
        }
        storage.sweep(at: now)
        dropIdleSearches(now: now, idle: Timing.searchIdle)
        reassembly.expire(at: now)
        sweepNodes()
        statusMayHaveChanged = true
    }
}
