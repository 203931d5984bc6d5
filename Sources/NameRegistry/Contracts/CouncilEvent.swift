public import Ethereum

/// What a council wrote to the log.
///
/// Source: names contracts, "Council".
public enum CouncilEvent: Hashable, Sendable {
    /// Stake moved; the source is zero for the stakes that the deployer began with.
    case delegated(source: Address, to: Address, amount: UInt128)
    case proposed(ProposedEvent)
    case voted(id: UInt64, voter: Address, support: Bool, power: UInt128, yes: UInt128, no: UInt128)
    case closed(id: UInt64, outcome: Outcome)
    case logicSelected(previous: Address, current: Address)
    case storageAdded(index: UInt64, storage: Address)

    /// How a proposal went on; only a passed one goes on after that.
    public enum Outcome: UInt64, Sendable, CaseIterable {
        case passed = 1
        case executed = 2
        case rejected = 3
        case expired = 4
        case withdrawn = 5
    }

    /// A proposal as it was made.
    public struct ProposedEvent: Hashable, Sendable {
        public let id: UInt64
        public let proposer: Address
        public let payload: Word
        /// The number of the kind, which may be unknown to this version.
        public let kind: Word
        public let target: Address
        public let other: Address
        public let key: Word
        public let value: Word
        public let expires: UInt64
        public let document: Word

        /// The content; `nil` for an unknown kind.
        public var content: ProposalContent? {
            kind.integer.flatMap(ProposalContent.Kind.init).map {
                ProposalContent(kind: $0, target: target, other: other, key: key, value: value, document: document)
            }
        }
    }

    /// The event of an entry of the log; `nil` for other events and malformed ones.
    public init?(_ log: Log) {
        guard let event = Events.all.first(where: { $0.topic == log.topics.first }),
            let values = try? event.decode(log), let decoded = Self.read(event, values)
        else { return nil }
        self = decoded
    }

    private static func read(_ event: ABIEvent, _ values: [ABIValue]) -> CouncilEvent? {
        switch event {
        case Events.delegated:
            guard let source = values[0].address, let to = values[1].address, let amount = values[2].wideInteger else {
                return nil
            }
            return .delegated(source: source, to: to, amount: amount)
        case Events.proposed: return proposed(values).map { .proposed($0) }
        case Events.voted:
            guard let id = values[0].integer, let voter = values[1].address, let support = values[2].boolean,
                let power = values[3].wideInteger, let yes = values[4].wideInteger, let no = values[5].wideInteger
            else { return nil }
            return .voted(id: id, voter: voter, support: support, power: power, yes: yes, no: no)
        case Events.closed:
            guard let id = values[0].integer, let outcome = values[1].integer.flatMap(Outcome.init) else { return nil }
            return .closed(id: id, outcome: outcome)
        case Events.logicSelected:
            guard let previous = values[0].address, let current = values[1].address else { return nil }
            return .logicSelected(previous: previous, current: current)
        case Events.storageAdded:
            guard let index = values[0].integer, let storage = values[1].address else { return nil }
            return .storageAdded(index: index, storage: storage)
        default: return nil
        }
    }

    private static func proposed(_ values: [ABIValue]) -> ProposedEvent? {
        guard let id = values[0].integer, let proposer = values[1].address, let payload = values[2].word,
            let kind = values[3].word, let target = values[4].address, let other = values[5].address,
            let key = values[6].word, let value = values[7].word, let expires = values[8].integer,
            let document = values[9].word
        else { return nil }
        return ProposedEvent(
            id: id,
            proposer: proposer,
            payload: payload,
            kind: kind,
            target: target,
            other: other,
            key: key,
            value: value,
            expires: expires,
            document: document
        )
    }

    enum Events {
        static let delegated = ABIEvent("Delegated", [.indexed(.address), .indexed(.address), .data(.uint256)])
        static let proposed = ABIEvent(
            "Proposed",
            [
                .indexed(.uint256), .indexed(.address), .data(.bytes32), .data(.uint256), .data(.address),
                .data(.address), .data(.bytes32), .data(.uint256), .data(.uint256), .data(.bytes32),
            ]
        )
        static let voted = ABIEvent(
            "Voted",
            [
                .indexed(.uint256), .indexed(.address), .data(.boolean), .data(.uint256), .data(.uint256),
                .data(.uint256),
            ]
        )
        static let closed = ABIEvent("Closed", [.indexed(.uint256), .data(.uint256)])
        static let logicSelected = ABIEvent("LogicSelected", [.indexed(.address), .indexed(.address)])
        static let storageAdded = ABIEvent("StorageAdded", [.indexed(.uint256), .indexed(.address)])

        static let all = [delegated, proposed, voted, closed, logicSelected, storageAdded]
    }

    /// The first topics of all events of a council.
    public static let topics = Events.all.map(\.topic)
    /// The first topic of ``logicSelected(previous:current:)``.
    public static let selectionTopic = Events.logicSelected.topic
    /// The first topic of ``logicSelected(previous:current:)``.
    public static let logicSelectedTopic = Events.logicSelected.topic
}
