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
    static let replyIsRecent = Duration.seconds(120 * 60)
    static let packetIsRecent = Duration.seconds(10 * 60)
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
    var pendingRequests: Int32 = 0

    var family: Endpoint.Family { endpoint.family }

    func isGood(at now: Instant) -> Bool {
        !isExpired && now - lastReply < Self.replyIsRecent && !isOld(at: now)
    }

    func isOld(at now: Instant) -> Bool {
        now - lastSeen >= Self.packetIsRecent
    }

    func isRemovable(at now: Instant) -> Bool {
        isExpired && isOld(at: now)
    }
}
