public import Keys
package import Runtime

/// A node that another one knows, as it is at one moment.
public struct NodeSnapshot: Sendable, Equatable {
    public enum Health: Sendable {
        /// It answered lately.
        case good
        /// Nobody knows whether it is there.
        case dubious
        /// It left requests unanswered.
        case expired
    }

    public let id: InfoHash
    public let endpoint: Endpoint
    public let health: Health
    /// The time since its last packet; `nil` when there was none.
    public let sinceSeen: Duration?
    /// The time since its last answer; `nil` when there was none.
    public let sinceReply: Duration?
    /// Requests that wait for its answer.
    public let pendingRequests: Int

    init(_ node: Node, now: Instant) {
        id = node.id
        endpoint = node.endpoint
        health = node.isExpired ? .expired : node.isGood(at: now) ? .good : .dubious
        sinceSeen = node.lastSeen == .longAgo ? nil : now - node.lastSeen
        sinceReply = node.lastReply == .longAgo ? nil : now - node.lastReply
        pendingRequests = Int(node.pendingRequests)
    }
}

/// The routing tables of a node, as they are at one moment.
public struct RoutingTableSnapshot: Sendable, Equatable {
    public struct Bucket: Sendable, Equatable {
        /// The lowest id of the bucket.
        public let first: InfoHash
        /// How many leading bits all ids of the bucket share with ``first``.
        public let depth: Int
        /// Whether the id of the node itself belongs here.
        public let isOwn: Bool
        public let nodes: [NodeSnapshot]
        /// The time since a node of the bucket answered; `nil` when none did.
        public let sinceReply: Duration?
    }

    /// The id of the node whose tables these are.
    public let id: InfoHash
    /// Buckets in the order of their ids; one at least.
    public let ipv4: [Bucket]
    public let ipv6: [Bucket]
}

/// A search for the nodes closest to a key, as it is at one moment.
public struct SearchSnapshot: Sendable, Equatable {
    public struct Member: Sendable, Equatable {
        public let node: NodeSnapshot
        /// Its last answer is fresh enough to put and listen there.
        public let isSynced: Bool
        /// It is slow, so others stand in for it.
        public let isSlow: Bool
        /// A question of the search waits for its answer.
        public let isAsked: Bool
        /// Values that it confirmed.
        public let confirmedValues: [Value.ID]
        /// Listeners that it confirmed.
        public let confirmedListeners: Int
    }

    public let key: InfoHash
    public let family: Endpoint.Family
    /// The closest first.
    public let members: [Member]
    /// Gets and queries under way.
    public let gets: Int
    /// Values that are being put, or kept in the network.
    public let puts: [Value.ID]
    public let permanentPuts: [Value.ID]
    public let listeners: Int
    /// The time since the search did anything.
    public let sinceStep: Duration
}

/// What a node stores for the network and for itself, as it is at one moment.
public struct StorageSnapshot: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        public let value: Value
        /// The time until it is forgotten; `nil` for values of this node that are kept for good.
        public let lifetime: Duration?
        /// Whether this node put it.
        public let isOwn: Bool
    }

    public struct Listener: Sendable, Equatable {
        public let node: NodeSnapshot
        /// The number under which the node listens.
        public let socket: UInt32
        public let query: Query
        /// The time since it last asked for it.
        public let sinceRefresh: Duration
    }

    public struct Place: Sendable, Equatable {
        public let key: InfoHash
        public let entries: [Entry]
        public let listeners: [Listener]
        /// Bytes of its values.
        public let bytes: Int
    }

    /// In the order of their keys.
    public let places: [Place]
    public let valueCount: Int
    /// Bytes that the values of others take of ``capacity``.
    public let bytes: Int
    /// Bytes.
    public let capacity: Int
}

extension NodeCore {
    package func routingTable(now: Instant) -> RoutingTableSnapshot {
        RoutingTableSnapshot(id: id, ipv4: buckets(of: .ipv4, now: now), ipv6: buckets(of: .ipv6, now: now))
    }

    private func buckets(of family: Endpoint.Family, now: Instant) -> [RoutingTableSnapshot.Bucket] {
        let table = states[family].table
        return table.buckets.indices.map { index in
            let bucket = table.buckets[index]
            return RoutingTableSnapshot.Bucket(
                first: bucket.first,
                depth: table.depth(of: index),
                isOwn: index == table.ownBucket,
                nodes: bucket.nodes.map { NodeSnapshot(nodes[$0], now: now) },
                sinceReply: bucket.lastReply == .longAgo ? nil : now - bucket.lastReply
            )
        }
    }

    package func searchSnapshots(now: Instant) -> [SearchSnapshot] {
        families.members.flatMap { searches(of: $0) }.map { snapshot(of: $0, now: now) }
    }

    /// The searches for one key, one for each family.
    package func searchSnapshots(of key: InfoHash, now: Instant) -> [SearchSnapshot] {
        families.members.compactMap { searches[SearchID(key: key, family: $0)] }.map { snapshot(of: $0, now: now) }
    }

    private func snapshot(of search: Search, now: Instant) -> SearchSnapshot {
        SearchSnapshot(
            key: search.key,
            family: search.family,
            members: search.nodes.map { node in
                SearchSnapshot.Member(
                    node: NodeSnapshot(nodes[node.index], now: now),
                    isSynced: node.isSynced(at: now),
                    isSlow: node.isCandidate,
                    isAsked: node.pending != nil || node.isProbing,
                    confirmedValues: search.announces.map(\.id).filter { id in
                        if case .acknowledged = node.announcing[id] { true } else { false }
                    },
                    confirmedListeners: node.listening.count { $0.lastReply != .longAgo }
                )
            },
            gets: search.gets.count,
            puts: search.announces.filter { !$0.isPermanent }.map(\.id),
            permanentPuts: search.announces.filter(\.isPermanent).map(\.id),
            listeners: search.listens.reduce(0) { $0 + $1.listeners.count },
            sinceStep: now - search.lastStep
        )
    }

    package func storageSnapshot(now: Instant) -> StorageSnapshot {
        let places = storage.places.sorted { $0.key < $1.key }.map { key, place in
            StorageSnapshot.Place(
                key: key,
                entries: place.values.map { stored in
                    StorageSnapshot.Entry(
                        value: stored.value,
                        lifetime: stored.expires == .distantFuture ? nil : stored.expires - now,
                        isOwn: stored.group == nil
                    )
                },
                listeners: place.listeners.map { listener in
                    StorageSnapshot.Listener(
                        node: NodeSnapshot(nodes[listener.node], now: now),
                        socket: listener.socket,
                        query: listener.query,
                        sinceRefresh: now - listener.refreshed
                    )
                },
                bytes: place.values.reduce(0) { $0 + $1.value.size }
            )
        }
        return StorageSnapshot(
            places: places,
            valueCount: storage.valueCount,
            bytes: storage.bytes,
            capacity: storage.limits.bytes
        )
    }
}
