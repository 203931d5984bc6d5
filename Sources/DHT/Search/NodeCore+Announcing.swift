import Keys
import Runtime

/// Values on their way to the nodes closest to their key. Source: DHT protocol, "Announce".
extension NodeCore {
    /// Sends what the closest nodes do not have yet, and refreshes what they have.
    func announce(_ search: Search, on ready: ArraySlice<Int>, isSynced: Bool, now: Instant) {
        guard !search.announces.isEmpty else { return }
        for announce in search.announces
        where announce.isPermanent || announce.parts.open.includes(search.family) {
            for position in ready { self.announce(announce, search, position, now: now) }
        }
        for position in ready { probe(search, position, now: now) }
        guard isSynced else { return }
        for index in search.announces.indices where search.announces[index].parts.open.includes(search.family) {
            let id = search.announces[index].id
            guard ready.allSatisfy({ isSettled(search.nodes[$0].announcing[id]) }) else { continue }
            search.announces[index].parts.end(search.family, succeeded: acknowledgements(of: id, in: search) > 0)
        }
    }

    /// Answers those who wait for announces that are over in all families that matter.
    func finishEndedAnnounces(of search: Search, now: Instant) {
        for index in search.announces.indices
        where !search.announces[index].waiting.isEmpty && search.announces[index].parts.areOver(connected: connected) {
            finish(search.announces[index], succeeded: search.announces[index].parts.hasSucceeded)
            search.announces[index].waiting = []
        }
        let ended = search.announces.filter { !$0.isPermanent && $0.parts.open.isEmpty }
        remove(ended.map(\.id), at: search.key)
        for announce in ended where announce.isHandedOn { wasHandedOn(announce, at: search.key, now: now) }
    }

    /// Forgets announces, and how far they were with each node.
    func remove(_ announces: [UInt64], at key: InfoHash) {
        guard !announces.isEmpty else { return }
        wanted(at: key)?.announces.removeAll { announces.contains($0.id) }
        for search in searches(at: key) {
            for position in search.nodes.indices {
                for id in announces { search.nodes[position].announcing[id] = nil }
            }
        }
    }

    private func isSettled(_ state: SearchNode.Announcing?) -> Bool {
        switch state {
        case .acknowledged, .refused: true
        case .probing, .sending, nil: false
        }
    }

    func acknowledgements(of announce: UInt64, at key: InfoHash) -> Int {
        searches(at: key).reduce(0) { $0 + acknowledgements(of: announce, in: $1) }
    }

    private func acknowledgements(of announce: UInt64, in search: Search) -> Int {
        search.nodes.count {
            if case .acknowledged = $0.announcing[announce] { true } else { false }
        }
    }

    private func announce(_ announce: Announce, _ search: Search, _ position: Int, now: Instant) {
        let state = search.nodes[position].announcing[announce.id]
        switch state {
        case .probing, .sending, .refused:
            return
        case .acknowledged(let time):
            guard announce.isPermanent, now >= time + announce.refreshInterval else { return }
        case nil:
            break
        }
        if announce.needsProbe {
            search.nodes[position].announcing[announce.id] = .probing
        } else {
            sendPut(announce, search, position, now: now)
        }
    }

    /// Asks a node which of the announced values it has.
    private func probe(_ search: Search, _ position: Int, now: Instant) {
        let node = search.nodes[position]
        let probed = search.announces.filter { node.announcing[$0.id] == .probing }
        guard !node.isProbing, let first = probed.first else { return }
        let key = search.key
        // The owner tells whether a signed value stands where an unsigned one is to be put. Some peers send a whole key
        // for it, so it is not asked for without need.
        let asksOwner = probed.contains { !$0.value.isSigned }
        let query = Query(
            fields: asksOwner ? [.id, .owner, .sequence] : [.id, .sequence],
            filters: probed.count == 1 ? [.id(first.id)] : []
        )
        for announce in probed { search.nodes[position].probed.append(announce.id) }
        let sent = send(.probe(search: search.id), to: node.index, now: now) {
            writer.get($0, key: key, query: query, to: &$1)
        }
        search.nodes[position].isProbing = sent != nil
    }

    func probeAnswered(_ search: Search, _ position: Int, rows: [FieldRow], values: [Value], now: Instant) {
        let probed = search.nodes[position].probed
        search.nodes[position].probed = []
        for announce in search.announces
        where probed.contains(announce.id) && search.nodes[position].announcing[announce.id] == .probing {
            let row =
                rows.first { $0.id == announce.id }
                ?? values.first { $0.id == announce.id }.map { value in
                    FieldRow(id: value.id, owner: value.visibleOwner, sequence: value.visibleSequence)
                }
            guard let row else {
                sendPut(announce, search, position, now: now)
                continue
            }
            let isForeign = row.owner.map { !$0.isZero } == true && !announce.value.isSigned
            if isForeign {
                search.nodes[position].announcing[announce.id] = .refused
            } else if announce.isHandedOn {
                search.nodes[position].announcing[announce.id] = .acknowledged(now)
            } else if let sequence = row.sequence, sequence < announce.value.visibleSequence {
                sendPut(announce, search, position, now: now)
            } else {
                sendRefresh(announce, search, position, now: now)
            }
        }
    }

    private func sendPut(_ announce: Announce, _ search: Search, _ position: Int, now: Instant) {
        let key = search.key
        let node = search.nodes[position]
        let values = OutgoingValues([announce.encoded])
        let created = announce.isPermanent || announce.created >= unixSeconds(now) ? nil : announce.created
        let sent = send(.put(search: search.id, announce: announce.id), to: node.index, values: values, now: now) {
            writer.put($0, key: key, values: values, created: created, token: node.token, to: &$1)
        }
        search.nodes[position].announcing[announce.id] = sent == nil ? nil : .sending
    }

    private func sendRefresh(_ announce: Announce, _ search: Search, _ position: Int, now: Instant) {
        let key = search.key
        let node = search.nodes[position]
        let sent = send(.refresh(search: search.id, announce: announce.id), to: node.index, now: now) {
            writer.refresh($0, key: key, valueID: announce.id, token: node.token, to: &$1)
        }
        search.nodes[position].announcing[announce.id] = sent == nil ? nil : .sending
    }

    /// A node confirmed a put or a refresh.
    func acknowledge(_ announce: UInt64, by node: NodeIndex, search id: SearchID, isConfirmed: Bool, now: Instant) {
        guard let search = searches[id], let position = search.position(of: node) else { return }
        search.nodes[position].isCandidate = false
        guard search.announces.contains(where: { $0.id == announce }) else { return }
        search.nodes[position].announcing[announce] = isConfirmed ? .acknowledged(now) : nil
        mark(search)
    }

    /// A node does not have the value that was to be refreshed.
    func reannounce(_ id: UInt64, on node: NodeIndex, search: SearchID, now: Instant) {
        guard let search = searches[search], let position = search.position(of: node) else { return }
        search.nodes[position].announcing[id] = nil
        if let announce = search.announces.first(where: { $0.id == id }), search.nodes[position].isSynced(at: now) {
            sendPut(announce, search, position, now: now)
        }
        mark(search)
    }

    func finish(_ announce: Announce, succeeded: Bool) {
        for operation in announce.waiting {
            operations[operation] = nil
            events.append(.finished(operation, succeeded: succeeded))
        }
    }
}
