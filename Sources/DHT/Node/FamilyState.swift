import Keys
import Runtime

/// What a node keeps apart for each address family.
struct FamilyState: Sendable {
    var table: RoutingTable
    var votes: AddressVotes
    /// The keys of the searches, in their order.
    var searchOrder: [InfoHash] = []
    var status = NodeStatus.disconnected
    var hasLookedUpItself = false
    /// When a packet last came.
    var lastHeard = Instant.longAgo
    /// Pings of addresses whose nodes are not known that wait for an answer.
    var bootstrapPings = 0

    init(own: InfoHash, voteLimit: Int) {
        table = RoutingTable(own: own)
        votes = AddressVotes(limit: voteLimit)
    }
}
