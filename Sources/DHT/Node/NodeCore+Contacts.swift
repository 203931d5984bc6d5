import Keys
import Runtime

/// What is known about other nodes. Source: DHT protocol, "Nodes and routing table".
extension NodeCore {
    /// Takes note of a node that sent something or that another node told of.
    @discardableResult
    func noteContact(
        _ contact: Contact,
        isClient: Bool = false,
        evidence: RoutingTable.Evidence,
        now: Instant
    ) -> NodeIndex? {
        let family = contact.endpoint.family
        guard contact.id != id, !contact.id.isZero, families.includes(family) else { return nil }
        if evidence == .packet, let known = nodes.touch(contact, isClient: isClient, now: now) { return known }
        if nodes.count(of: family) >= limits.nodes { sweepNodes() }
        let index: NodeIndex
        var isNew = false
        if let known = nodes.index(of: contact.id, family: family) {
            index = known
            if evidence == .hearsay {
                if nodes[known].isOld(at: now) { nodes[known].endpoint = contact.endpoint }
                return known
            }
        } else {
            guard let inserted = nodes.insert(Node(id: contact.id, endpoint: contact.endpoint)) else { return nil }
            index = inserted
            isNew = true
        }
        if evidence != .hearsay {
            let wasExpired = nodes[index].isExpired
            nodes[index].endpoint = contact.endpoint
            nodes[index].lastSeen = now
            nodes[index].isExpired = false
            nodes[index].isClient = isClient
            if wasExpired { markSearches(of: index) }
        }
        guard isNew || evidence != .hearsay else { return index }
        let ping = states[family].table.insert(index, evidence: evidence, nodes: nodes, now: now)
        if let ping, ping != index { self.ping(ping, now: now) }
        if isNew {
            statusMayHaveChanged = true
            offerToSearches(index, now: now)
            if now - states[family].table.grown > .seconds(300), now < confirmAt {
                scheduleConfirm(at: now + .seconds(1))
            }
        }
        return index
    }

    /// Takes note of the nodes that an answer lists, and puts them into the search that asked, if any.
    func learnNodes(_ packet: Packet, _ bytes: RawSpan, from sender: Endpoint, for search: Search?, now: Instant) {
        learnNodes(packet.nodes4, .ipv4, bytes, from: sender, for: search, now: now)
        learnNodes(packet.nodes6, .ipv6, bytes, from: sender, for: search, now: now)
    }

    private func learnNodes(
        _ range: Range<Int>?,
        _ family: Endpoint.Family,
        _ bytes: RawSpan,
        from sender: Endpoint,
        for search: Search?,
        now: Instant
    ) {
        guard let range, families.includes(family) else { return }
        _ = CompactNodes.visit(bytes, range, family: family) { contact in
            var contact = contact
            if contact.endpoint.isLoopback, sender.family == contact.endpoint.family {
                contact.endpoint = contact.endpoint.movedToAddress(of: sender)
            }
            // An IPv4 address among those of IPv6 is none that anybody can be reached at.
            guard contact.endpoint.family == family, contact.id != self.id, !contact.endpoint.isMartian,
                !self.blacklist.contains(contact.endpoint)
            else {
                return
            }
            guard let index = self.noteContact(contact, evidence: .hearsay, now: now) else { return }
            if let search, search.family == family { self.insert(index, into: search, now: now) }
        }
    }

    /// Whether a node is known to be there, and at this address.
    func isGood(_ id: InfoHash, at endpoint: Endpoint, now: Instant) -> Bool {
        guard let index = nodes.index(of: id, family: endpoint.family) else { return false }
        return nodes[index].endpoint == endpoint && nodes[index].isGood(at: now)
    }

    /// A node that answers searches without a token is of no use.
    func blacklist(_ node: NodeIndex, now: Instant) {
        if blacklist.count < limits.blacklist { blacklist.insert(nodes[node].endpoint) }
        expireNode(node, now: now)
    }

    /// Frees the nodes that nothing refers to.
    func sweepNodes() {
        guard nodes.newSinceSweep > limits.nodes / 16 else { return }
        var kept: Set<NodeIndex> = []
        for family in Endpoint.Family.all { states[family].table.forEachReference { kept.insert($0) } }
        storage.forEachListener { kept.insert($0) }
        for request in requests.values {
            if let node = request.node { kept.insert(node) }
        }
        for search in searches.values {
            for node in search.nodes { kept.insert(node.index) }
        }
        for socket in sockets.values { kept.insert(socket.node) }
        nodes.sweep(keeping: kept)
    }
}
