/// What address peers say they see us at.
///
/// Source: DHT protocol, "Public address".
struct AddressVotes: Sendable {
    private var votes: [(address: Endpoint, count: Int)] = []
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    /// The address most peers agree on, with port 0.
    var winner: Endpoint? { votes.first?.address }

    mutating func vote(for address: Endpoint) {
        if let index = votes.firstIndex(where: { $0.address == address }) {
            votes[index].count += 1
            var place = index
            while place > 0, votes[place - 1].count < votes[place].count {
                votes.swapAt(place, place - 1)
                place -= 1
            }
        } else {
            if votes.count >= limit { votes.removeLast() }
            votes.append((address, 1))
        }
        // Old votes fade, so that a new address can win.
        if let first = votes.first, first.count > 256 {
            votes = votes.map { ($0.address, max($0.count / 2, 1)) }
        }
    }

    mutating func removeAll() {
        votes.removeAll()
    }
}
