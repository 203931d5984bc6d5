import Runtime

/// Looks into a running node, for programs that show what it does.
///
/// A snapshot costs time and memory that grow with what the node knows.
extension DHTNode {
    /// The nodes that this one knows in its routing tables.
    public var routingTable: RoutingTableSnapshot { core.routingTable(now: time.now) }

    /// The searches of both families, under way or lately done, in the order of family and key.
    public var searches: [SearchSnapshot] { core.searchSnapshots(now: time.now) }

    /// What is stored here, and who listens to it.
    public var storage: StorageSnapshot { core.storageSnapshot(now: time.now) }
}
