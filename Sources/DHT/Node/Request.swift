import Runtime

/// A request that waits for its answer.
///
/// Source: DHT protocol, "Request reliability".
struct Request: Sendable {
    /// Why it was sent, and so what its answer is for.
    enum Purpose: Sendable {
        case ping
        /// A ping of an address whose node is not known yet; perhaps the user waits for its answer.
        case bootstrap(OperationID?)
        /// A find to keep the routing table fresh.
        case maintenance
        case find(search: SearchID)
        /// Serves all gets of the search that ask the same and began until now.
        case get(search: SearchID, query: Query, latest: OperationID)
        /// For the ids of all values, and then for each value on its own.
        case page(search: SearchID)
        case pageValue(search: SearchID)
        case probe(search: SearchID)
        case put(search: SearchID, announce: UInt64)
        case refresh(search: SearchID, announce: UInt64)
        case listen(search: SearchID, listen: UInt64, socket: UInt32)
        case update

        /// The search it belongs to.
        var search: SearchID? {
            switch self {
            case .ping, .bootstrap, .maintenance, .update: nil
            case .find(let search), .get(let search, _, _), .page(let search), .pageValue(let search),
                .probe(let search), .put(let search, _), .refresh(let search, _), .listen(let search, _, _):
                search
            }
        }
    }

    let transaction: UInt32
    /// `nil` for a bootstrap ping.
    let node: NodeIndex?
    let receiver: Endpoint
    let purpose: Purpose
    /// Sent again as it is.
    let message: [UInt8]
    /// What follows the message in parts.
    let values: OutgoingValues
    let began: Instant
    /// When the system first refused to send it.
    var refused: Instant?
    var attempt = 1
    /// The answer takes longer than answers usually do.
    var isSlow = false
    var delay: Duration
    /// When it is sent again, or given up.
    var deadline: Instant

    var search: SearchID? { purpose.search }

    /// Its place in the queue of parts.
    var parts: PartQueue.Key { PartQueue.Key(receiver: receiver, transaction: transaction) }
}
