import Keys
import Runtime

/// The buckets of nodes of one family.
///
/// Source: DHT protocol, "Buckets".
struct RoutingTable: Sendable {
    static let bucketSize = 8

    struct Bucket: Sendable {
        var first: InfoHash
        var nodes: [NodeIndex] = []
        /// When a node of it last answered.
        var lastReply = Instant.longAgo
        /// Takes the place of a node that turns out to be gone.
        var candidate: NodeIndex?
    }

    /// How sure we are that a node is there.
    enum Evidence: Sendable {
        case hearsay, packet, reply
    }

    let own: InfoHash
    private(set) var buckets: [Bucket]
    /// When a node last entered our own bucket.
    private(set) var grown = Instant.longAgo

    init(own: InfoHash) {
        self.own = own
        buckets = [Bucket(first: .zero)]
    }

    func bucketIndex(of id: InfoHash) -> Int {
        var low = 0
        var high = buckets.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if buckets[middle].first <= id { low = middle } else { high = middle }
        }
        return low
    }

    /// How many leading bits all ids of a bucket share.
    func depth(of bucket: Int) -> Int {
        let first = buckets[bucket].first.lowBit
        let next = bucket + 1 < buckets.count ? buckets[bucket + 1].first.lowBit : -1
        return max(first, next) + 1
    }

    // MARK: Inserting

    /// Takes note of a node.
    ///
    /// - Returns: a node to ping, to see whether it still deserves its place.
    mutating func insert(
        _ index: NodeIndex,
        evidence: Evidence,
        nodes: NodeTable,
        now: Instant
    ) -> NodeIndex? {
        let node = nodes[index]
        guard !node.isClient, node.id != own else { return nil }
        while true {
            let place = bucketIndex(of: node.id)
            if evidence == .reply { buckets[place].lastReply = now }
            guard !buckets[place].nodes.contains(index) else { return nil }
            let isOwn = bucketIndex(of: own) == place
            if isOwn { grown = now }
            if let expired = buckets[place].nodes.firstIndex(where: { nodes[$0].isExpired }) {
                nodes[buckets[place].nodes[expired]].isListed = false
                buckets[place].nodes[expired] = index
                nodes[index].isListed = true
                return nil
            }
            guard buckets[place].nodes.count >= Self.bucketSize else {
                buckets[place].nodes.insert(index, at: 0)
                nodes[index].isListed = true
                return nil
            }
            let doubtful = buckets[place].nodes.filter { !nodes[$0].isGood(at: now) }
            if isOwn, doubtful.isEmpty || buckets.count == 1, depth(of: place) < 160 {
                split(place, nodes: nodes)
                continue
            }
            if evidence != .hearsay || buckets[place].candidate == nil { buckets[place].candidate = index }
            return doubtful.first { nodes[$0].pendingRequests == 0 }
        }
    }

    private mutating func split(_ place: Int, nodes: NodeTable) {
        let middle = buckets[place].first.settingBit(depth(of: place))
        let members = buckets[place].nodes
        var upper = Bucket(first: middle, lastReply: buckets[place].lastReply)
        upper.nodes = members.filter { nodes[$0].id >= middle }
        buckets[place].nodes = members.filter { nodes[$0].id < middle }
        buckets[place].candidate = nil
        buckets.insert(upper, at: place + 1)
    }

    /// Drops expired nodes and lets the candidates of their buckets in.
    ///
    /// - Returns: nodes to ping.
    mutating func dropExpired(nodes: NodeTable) -> [NodeIndex] {
        var pings: [NodeIndex] = []
        for place in buckets.indices {
            let before = buckets[place].nodes.count
            buckets[place].nodes.removeAll { index in
                guard nodes[index].isExpired else { return false }
                nodes[index].isListed = false
                return true
            }
            guard buckets[place].nodes.count < before, let candidate = buckets[place].candidate else { continue }
            buckets[place].candidate = nil
            if !nodes[candidate].isExpired { pings.append(candidate) }
        }
        return pings
    }

    // MARK: Looking

    /// The good nodes closest to a target, closest first.
    func closest(to target: InfoHash, count: Int, nodes: NodeTable, now: Instant) -> [Contact] {
        var found: [(distance: InfoHash, contact: Contact)] = []
        found.reserveCapacity(min(count, 2 * Self.bucketSize))
        visitNear(target, count: count, nodes: nodes, now: now) { node in
            let distance = node.id ^ target
            var place = found.count
            if place < count {
                found.append((distance, Contact(id: node.id, endpoint: node.endpoint)))
            } else {
                guard let last = found.last, distance < last.distance else { return }
                place -= 1
            }
            while place > 0, distance < found[place - 1].distance {
                found[place] = found[place - 1]
                place -= 1
            }
            found[place] = (distance, Contact(id: node.id, endpoint: node.endpoint))
        }
        return found.map(\.contact)
    }

    /// Whether at least eight good nodes are known near a target, and those that are closest to it are all closer than us.
    func isFar(from target: InfoHash, closest count: Int, nodes: NodeTable, now: Instant) -> Bool {
        var found = 0
        var closer = 0
        visitNear(target, count: count, nodes: nodes, now: now) { node in
            found += 1
            if node.id.isCloser(to: target, than: own) { closer += 1 }
        }
        return found >= Self.bucketSize && closer >= min(found, count)
    }

    /// Visits the good nodes of the buckets around a target, until there were enough of them.
    private func visitNear(
        _ target: InfoHash,
        count: Int,
        nodes: NodeTable,
        now: Instant,
        _ body: (Node) -> Void
    ) {
        var found = 0
        func take(_ place: Int) {
            for index in buckets[place].nodes {
                let node = nodes[index]
                guard node.isGood(at: now) else { continue }
                found += 1
                body(node)
            }
        }
        let start = bucketIndex(of: target)
        take(start)
        var step = 1
        while found < count, start - step >= 0 || start + step < buckets.count {
            if start + step < buckets.count { take(start + step) }
            if start - step >= 0 { take(start - step) }
            step += 1
        }
    }

    /// An id in a bucket, drawn at random.
    func randomID(in bucket: Int, using randomness: inout Randomness) -> InfoHash {
        let first = buckets[bucket].first
        let random = InfoHash.random(using: &randomness)
        return first.takingBits(from: random, after: depth(of: bucket))
    }

    /// A node of a bucket, drawn at random from those that are not expired, or from all if all are.
    func randomNode(in bucket: Int, nodes: NodeTable, using randomness: inout Randomness) -> NodeIndex? {
        let alive = buckets[bucket].nodes.filter { !nodes[$0].isExpired }
        return (alive.isEmpty ? buckets[bucket].nodes : alive).randomElement(using: &randomness)
    }

    var ownBucket: Int { bucketIndex(of: own) }

    /// How many nodes the network may have, from how deep our own bucket is.
    var networkSizeEstimate: Int { 8 << min(depth(of: ownBucket), 40) }

    /// Every node that a bucket refers to.
    func forEachReference(_ body: (NodeIndex) -> Void) {
        for bucket in buckets {
            bucket.nodes.forEach(body)
            if let candidate = bucket.candidate { body(candidate) }
        }
    }
}
