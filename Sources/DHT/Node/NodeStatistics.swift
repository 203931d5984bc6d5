package import Runtime

/// Numbers about a running node.
public struct NodeStatistics: Sendable, Equatable {
    /// Numbers about one address family.
    public struct Family: Sendable, Equatable {
        public var status = NodeStatus.disconnected
        /// Nodes that anybody told of.
        public var known = 0
        /// Nodes that answered lately.
        public var good = 0
        /// Nodes of which nobody knows whether they are there.
        public var dubious = 0
        /// Nodes that sent something after their last answer.
        public var incoming = 0
        /// How many bits the ids in the bucket of this node share.
        public var tableDepth = 0
        /// How many nodes the network may have.
        public var networkSizeEstimate = 0
    }

    public var ipv4 = Family()
    public var ipv6 = Family()
    public var searches = 0
    /// Gets, puts and listeners of the user of the node.
    public var operations = 0
    public var storedValues = 0
    /// Bytes of the values of others.
    public var storedBytes = 0

    /// Nodes that anybody told of, one with two addresses twice.
    public var known: Int { ipv4.known + ipv6.known }
    public var good: Int { ipv4.good + ipv6.good }
    public var dubious: Int { ipv4.dubious + ipv6.dubious }
    public var networkSizeEstimate: Int { max(ipv4.networkSizeEstimate, ipv6.networkSizeEstimate) }
}

extension NodeCore {
    /// What a program that runs the node may want to show.
    package func statistics(now: Instant) -> NodeStatistics {
        var result = NodeStatistics()
        result.ipv4 = statistics(of: .ipv4, now: now)
        result.ipv6 = statistics(of: .ipv6, now: now)
        result.searches = searches.count
        result.operations = operations.count
        result.storedValues = storage.valueCount
        result.storedBytes = storage.bytes
        return result
    }

    private func statistics(of family: Endpoint.Family, now: Instant) -> NodeStatistics.Family {
        var result = NodeStatistics.Family()
        result.status = states[family].status
        for node in nodes.all(of: family) {
            result.known += 1
            if node.isGood(at: now) { result.good += 1 } else if !node.isExpired { result.dubious += 1 }
            if !node.isExpired, node.lastSeen > node.lastReply { result.incoming += 1 }
        }
        let table = states[family].table
        result.tableDepth = table.depth(of: table.ownBucket)
        result.networkSizeEstimate = table.networkSizeEstimate
        return result
    }
}
