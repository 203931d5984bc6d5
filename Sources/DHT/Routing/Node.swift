import Keys
import Runtime

extension Instant {
    /// Before everything, and still far enough from the end of the range to be subtracted.
    static let longAgo = Instant(nanoseconds: .min / 2)
}

/// Where a node stands in the table of all known nodes; valid as long as somebody refers to it.
struct NodeIndex: Hashable, Sendable {
    var slot: Int32
}

/// What is known about another node.
///
/// Source: DHT protocol, "Node state".
struct Node: Sendable {
    // In nanoseconds, since every list of nodes compares them with the ages of many nodes.
    private static let replyIsRecent: Int64 = 120 * 60 * 1_000_000_000
    private static let packetIsRecent: Int64 = 10 * 60 * 1_000_000_000
    static let toleratedAuthErrors: UInt8 = 3

    let id: InfoHash
    /// Always of the same family.
    var endpoint: Endpoint
    /// The last packet from it.
    var lastSeen = Instant.longAgo
    /// The last answer to one of our requests.
    var lastReply = Instant.longAgo
    var authErrors: UInt8 = 0
    var isExpired = false
    /// It does not want to be in routing tables.
    var isClient = false
    /// It stands in a bucket of the routing table.
    var isListed = false
    /// Nothing refers to it any more, and its slot is free.
    var isForgotten = false
    var pendingRequests: Int32 = 0

    var family: Endpoint.Family { endpoint.family }

    func isGood(at now: Instant) -> Bool {
        !isExpired && now.nanoseconds &- lastReply.nanoseconds < Self.replyIsRecent && !isOld(at: now)
    }

    func isOld(at now: Instant) -> Bool {
        now.nanoseconds &- lastSeen.nanoseconds >= Self.packetIsRecent
    }

    func isRemovable(at now: Instant) -> Bool {
        isExpired && isOld(at: now)
    }
}
