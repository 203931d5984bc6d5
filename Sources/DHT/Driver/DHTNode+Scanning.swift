public import Keys

/// What a node has received, answered and asked since it was started.
public struct TrafficCounts: Sendable, Equatable {
    /// Datagrams, whatever they held.
    public var received: UInt64
    /// Requests of others.
    public var served: UInt64
    /// Requests of this node.
    public var requested: UInt64
    /// Requests of this node that nobody answered.
    public var unanswered: UInt64
}

extension DHTNode {
    public var traffic: TrafficCounts {
        let counters = core.counters
        return TrafficCounts(
            received: counters.received,
            served: counters.served,
            requested: counters.requested,
            unanswered: counters.expired
        )
    }

    /// The nodes of both families around a key, each asked, the closest first.
    ///
    /// - Throws: `DHTError.Code.notRunning`, or `invalidArgument` for the key zero.
    public func closestNodes(to key: InfoHash) async throws(DHTError) -> [NodeSnapshot] {
        // A question that no value answers leads to all of them.
        _ = try await query(key, Query(fields: [.id], filters: [.id(1), .type(.max)]))
        return core.searchSnapshots(of: key, now: currentTime).flatMap { $0.members.map(\.node) }
    }
}
