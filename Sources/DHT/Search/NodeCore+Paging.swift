import Keys
import Runtime

/// How far the values of one node are fetched one by one.
struct Paging {
    /// What was asked at first.
    let query: Query
    /// Serves the gets that ask the same and began before this one.
    let latest: OperationID
    /// What is still to be fetched, the next one last.
    var ids: [UInt64] = []
    /// What came already with the answer that did not come whole.
    let known: Set<UInt64>
    var underWay = 0
}

/// Gets of much: first the ids, then each value on its own.
///
/// A get asks for whole values at once, since that is one round trip and nearly all answers are small. Only when an answer
/// turns out to be more than is taken in one message, or parts of it get lost, its node is asked for ids and then for one value
/// after the other: each is sent again on its own when it gets lost, and no burst is longer than one value. A large value that is
/// the only one gains nothing, so its missing parts are asked for by asking again. Every node is asked for all that it has: an id
/// alone does not say whether another node's value is the same. Source: DHT protocol, "Get".
extension NodeCore {
    /// Has a get that came into trouble go on value by value; whether it does.
    func page(_ request: Request, known: Set<UInt64>, now: Instant) -> Bool {
        guard case .get(let id, let query, let latest) = request.purpose, query.fields.isEmpty,
            let node = request.node, let search = searches[id], let position = search.position(of: node)
        else { return false }
        let key = search.key
        let ids = Query(fields: [.id], filters: query.filters)
        let sent = send(.page(search: id), to: node, now: now) { writer.get($0, key: key, query: ids, to: &$1) }
        guard sent != nil else { return false }
        nodes[node].pendingRequests -= 1
        forget(request)
        if search.nodes[position].pending == request.transaction { search.nodes[position].pending = nil }
        search.nodes[position].paging = Paging(query: query, latest: latest, known: known)
        return true
    }

    /// A node told which values it has.
    func pageAnswered(_ search: Search, _ position: Int, rows: [FieldRow], now: Instant) {
        guard var paging = search.nodes[position].paging else { return }
        var seen = paging.known
        let ids = rows.compactMap(\.id).filter { $0 != 0 && seen.insert($0).inserted }
        paging.ids = ids.prefix(limits.pagedValues).reversed()
        search.nodes[position].paging = paging
        fetchNext(search, position, now: now)
    }

    func pageValueAnswered(_ search: Search, _ position: Int, now: Instant) {
        search.nodes[position].paging?.underWay -= 1
        fetchNext(search, position, now: now)
    }

    private func fetchNext(_ search: Search, _ position: Int, now: Instant) {
        guard let paging = search.nodes[position].paging else { return }
        let key = search.key
        let isWanted = search.gets.contains { $0.operation < paging.latest && $0.query == paging.query }
        if !isWanted { search.nodes[position].paging?.ids = [] }
        while let left = search.nodes[position].paging, left.underWay < Timing.parallelPages, let id = left.ids.last {
            let one = Query(filters: paging.query.filters + [.id(id)])
            let sent = send(.pageValue(search: search.id), to: search.nodes[position].index, now: now) {
                writer.get($0, key: key, query: one, to: &$1)
            }
            // With too many requests under way there is nothing to wait for; what was fetched has been told.
            guard sent != nil else {
                search.nodes[position].paging?.ids = []
                break
            }
            search.nodes[position].paging?.ids.removeLast()
            search.nodes[position].paging?.underWay += 1
        }
        guard search.nodes[position].paging?.underWay == 0 else { return }
        search.nodes[position].paging = nil
        for get in search.gets where get.operation < paging.latest && get.query == paging.query {
            search.nodes[position].answered.append(get.operation)
        }
        mark(search)
    }

    // MARK: Trouble

    /// What to do about a request that has not been answered in time.
    enum Retry {
        case now
        /// Its answer is coming; asking again would have all that is on its way sent once more.
        case later(Instant)
        /// Something else was done for it.
        case never
    }

    /// Whether the answer has come save some of its parts.
    func isBeingAnswered(_ request: Request) -> Bool {
        reassembly.progress(of: Reassembly.Key(sender: request.receiver, transaction: request.transaction)) != nil
    }

    func retry(of request: Request, now: Instant) -> Retry {
        guard case .get(let id, _, _) = request.purpose else { return .now }
        let key = Reassembly.Key(sender: request.receiver, transaction: request.transaction)
        guard let progress = reassembly.progress(of: key) else { return .now }
        let silence = progress.lastPart + Timing.answerSilence
        guard silence <= now else { return .later(silence) }
        guard progress.values > 1, searches[id] != nil else { return .now }
        let whole = reassembly.wholeValues(of: key)
        guard page(request, known: Set(whole.map(\.id)), now: now) else { return .now }
        reassembly.forget(key)
        if let search = searches[id] { deliver(whole, to: search) }
        return .never
    }

    /// An answer is more than one message may be.
    func cannotTake(_ packet: Packet, from sender: Endpoint, now: Instant) {
        guard case .reply = packet.kind, let request = requests[packet.transaction], request.receiver == sender,
            let node = request.node, nodes[node].id == packet.sender
        else { return }
        _ = page(request, known: [], now: now)
    }
}
