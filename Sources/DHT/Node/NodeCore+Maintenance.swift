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
        guard status != .connected else { return }
        isResolving = true
        statusMayHaveChanged = true
        events.append(.bootstrapDue)
        pingKnownNodes(now: now)
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

    func lookUpItself(now: Instant) {
        hasLookedUpItself = true
        guard let search = search(for: id, now: now) else { return }
        search.isLookup = true
        mark(search)
    }

    /// Asks some nodes whether they are there, those first that are not known to be gone.
    ///
    /// Nodes that are gone may be back, as after a break of our own connection.
    func pingKnownNodes(now: Instant) {
        let near = nodes.near(.random(using: &randomness), count: Timing.target)
        let chosen = near.isEmpty ? nodes.sample(Timing.target, using: &randomness) : near
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
        if searches.isEmpty, status == .connected { lookUpItself(now: now) }
        var hasSent = maintainBuckets(now: now)
        if !hasSent, now - table.grown < Timing.growthIsRecent { hasSent = maintainNeighbourhood(now: now) }
        if status == .connecting { pingKnownNodes(now: now) }
        let pause = randomness.duration(in: hasSent ? Timing.confirmSoon : Timing.confirmLater)
        confirmAt = now + (status == .connecting ? Timing.connectingCheck : pause)
        timers.insert(.confirm, at: confirmAt)
    }

    /// Asks in buckets that have been silent.
    private func maintainBuckets(now: Instant) -> Bool {
        var hasSent = false
        for bucket in table.buckets.indices {
            let isSilent = now - table.buckets[bucket].lastReply > Timing.bucketSilence
            guard isSilent || table.buckets[bucket].nodes.isEmpty else { continue }
            let target = table.randomID(in: bucket, using: &randomness)
            guard let node = helper(for: bucket) else { continue }
            find(target, from: node, now: now)
            hasSent = true
        }
        return hasSent
    }

    /// A node to ask about a bucket: one of it, or of a neighbour when it is empty, and sometimes anyway.
    private func helper(for bucket: Int) -> NodeIndex? {
        let isEmpty = table.buckets[bucket].nodes.isEmpty
        if !isEmpty, Int.random(in: 0..<8, using: &randomness) != 0 {
            return table.randomNode(in: bucket, nodes: nodes, using: &randomness)
        }
        for neighbour in [bucket + 1, bucket - 1] where table.buckets.indices.contains(neighbour) {
            if let node = table.randomNode(in: neighbour, nodes: nodes, using: &randomness) { return node }
        }
        return table.randomNode(in: bucket, nodes: nodes, using: &randomness)
    }

    /// Asks near our own id while nodes keep coming there.
    private func maintainNeighbourhood(now: Instant) -> Bool {
        let own = table.ownBucket
        let target = id.takingBits(from: .random(using: &randomness), after: 152)
        let places = [own, own + 1, own - 1].filter(table.buckets.indices.contains)
        for place in places {
            guard let node = table.randomNode(in: place, nodes: nodes, using: &randomness) else { continue }
            find(target, from: node, now: now)
            return true
        }
        return false
    }

    private func find(_ target: InfoHash, from node: NodeIndex, now: Instant) {
        send(.maintenance, to: node, now: now) { writer.find($0, target: target, to: &$1) }
    }

    // MARK: Sweeping

    func sweepDue(now: Instant) {
        timers.insert(.sweep, at: now + randomness.duration(in: Timing.sweep))
        for node in table.dropExpired(nodes: nodes) { ping(node, now: now) }
        storage.sweep(at: now)
        dropIdleSearches(now: now, idle: Timing.searchIdle)
        reassembly.expire(at: now)
        sweepNodes()
        statusMayHaveChanged = true
    }
}
