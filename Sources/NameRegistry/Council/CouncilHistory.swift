public import Ethereum

/// A council as its events tell it: members and stakes, proposals and what became of them.
///
/// Source: names contracts, "Council".
public struct CouncilHistory: Hashable, Sendable {
    /// A vote on a proposal.
    public struct Vote: Hashable, Sendable {
        public let voter: Address
        public let support: Bool
        public let power: UInt128
    }

    /// A proposal with what became of it.
    public struct Entry: Hashable, Sendable {
        public let proposed: CouncilEvent.ProposedEvent
        public let block: UInt64
        public internal(set) var votes: [Vote] = []
        public internal(set) var hasPassed = false
        /// How it ended; `nil` while it is open or waits for its execution.
        public internal(set) var ending: CouncilEvent.Outcome?
    }

    /// Why events are not those of a council from its beginning.
    public enum Inconsistency: Error, Hashable, Sendable {
        /// More stake left an account than it had: events are missing.
        case stakeMissing(Address)
        /// A vote or an ending of a proposal that was not made.
        case unknownProposal(UInt64)
        /// An entry of the log that is no event of a council.
        case unknownEvent
    }

    /// Members with their stakes; those without are left out.
    public private(set) var stakes: [Address: UInt128] = [:]
    public private(set) var proposals: [Entry] = []
    public private(set) var logic = Address.zero
    public private(set) var storages: [Address] = []

    public init() {}

    /// All stakes.
    public var total: UInt128 { stakes.values.reduce(0) { $0 &+ $1 } }

    /// Members with their stakes, the largest first.
    public var members: [(address: Address, stake: UInt128)] {
        stakes.map { (address: $0.key, stake: $0.value) }
            .sorted { ($1.stake, $0.address) < ($0.stake, $1.address) }
    }

    public subscript(id: UInt64) -> Entry? { proposals.last { $0.proposed.id == id } }

    /// Takes the next entry of the council's log.
    public mutating func append(_ log: Log) throws(Inconsistency) {
        guard let event = CouncilEvent(log) else { throw .unknownEvent }
        switch event {
        case .delegated(let source, let to, let amount): try move(amount, from: source, to: to)
        case .proposed(let proposed): proposals.append(Entry(proposed: proposed, block: log.blockNumber))
        case .voted(let id, let voter, let support, let power, _, _):
            let index = try index(of: id)
            proposals[index].votes.append(Vote(voter: voter, support: support, power: power))
        case .closed(let id, let outcome):
            let index = try index(of: id)
            if outcome == .passed {
                proposals[index].hasPassed = true
            } else {
                proposals[index].ending = outcome
            }
        case .logicSelected(_, let current): logic = current
        case .storageAdded(_, let storage): storages.append(storage)
        }
    }

    private mutating func move(_ amount: UInt128, from source: Address, to: Address) throws(Inconsistency) {
        if !source.isZero {
            let (rest, overflow) = stakes[source, default: 0].subtractingReportingOverflow(amount)
            guard !overflow else { throw .stakeMissing(source) }
            stakes[source] = rest == 0 ? nil : rest
        }
        if amount > 0 { stakes[to] = stakes[to, default: 0] &+ amount }
    }

    private func index(of id: UInt64) throws(Inconsistency) -> Int {
        guard let index = proposals.lastIndex(where: { $0.proposed.id == id }) else { throw .unknownProposal(id) }
        return index
    }
}
