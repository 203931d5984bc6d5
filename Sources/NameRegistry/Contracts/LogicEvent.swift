public import Ethereum
public import Keys

/// What the registry's logic wrote to the log.
///
/// Source: names contracts, "Names".
public enum LogicEvent: Hashable, Sendable {
    /// The evidence is `nil` for a registration that nobody signed; its digest may not be that of these bytes' owner.
    case registered(name: Name, account: InfoHash, owner: Address, sequence: UInt64, evidence: NameEvidence?)
    case imported(name: Name, account: InfoHash, owner: Address, sequence: UInt64, evidenceDigest: Word)
    case addressChanged(
        name: Name,
        account: InfoHash,
        previous: InfoHash,
        sequence: UInt64,
        evidence: NameEvidence
    )
    case transferred(name: Name, previous: Address, owner: Address, sequence: UInt64)
    case released(name: Name, sequence: UInt64)
    case configured(action: Word, target: Address, value: Word)
    case committed(Word)

    /// The place in the journal, for the events that are in it.
    public var sequence: UInt64? {
        switch self {
        case .registered(_, _, _, let sequence, _), .imported(_, _, _, let sequence, _),
            .addressChanged(_, _, _, let sequence, _), .transferred(_, _, _, let sequence), .released(_, let sequence):
            sequence
        case .configured, .committed: nil
        }
    }

    /// The event of an entry of the log; `nil` for other events and malformed ones.
    public init?(_ log: Log) {
        guard let event = Events.all.first(where: { $0.topic == log.topics.first }),
            let values = try? event.decode(log), let decoded = Self.read(event, values)
        else { return nil }
        self = decoded
    }

    private static func read(_ event: ABIEvent, _ values: [ABIValue]) -> LogicEvent? {
        switch event {
        case Events.committed: return values[0].word.map { .committed($0) }
        case Events.configured:
            guard let action = values[0].word, let target = values[1].address, let value = values[2].word else {
                return nil
            }
            return .configured(action: action, target: target, value: value)
        default:
            guard let name = values[0].word.flatMap({ Name($0) }) else { return nil }
            return operation(event, name, Array(values.dropFirst()))
        }
    }

    /// The events of the journal, without their name.
    private static func operation(_ event: ABIEvent, _ name: Name, _ values: [ABIValue]) -> LogicEvent? {
        switch event {
        case Events.released: return values[0].integer.map { .released(name: name, sequence: $0) }
        case Events.transferred:
            guard let previous = values[0].address, let owner = values[1].address, let sequence = values[2].integer
            else { return nil }
            return .transferred(name: name, previous: previous, owner: owner, sequence: sequence)
        case Events.imported:
            guard let account = values[0].address, let owner = values[1].address, let sequence = values[2].integer,
                let digest = values[3].word
            else { return nil }
            return .imported(
                name: name,
                account: account.hash,
                owner: owner,
                sequence: sequence,
                evidenceDigest: digest
            )
        case Events.registered:
            guard let account = values[0].address, let owner = values[1].address, let sequence = values[2].integer,
                let evidence = evidence(values)
            else { return nil }
            return .registered(
                name: name,
                account: account.hash,
                owner: owner,
                sequence: sequence,
                evidence: evidence
            )
        case Events.addressChanged:
            guard let account = values[0].address, let previous = values[1].address, let sequence = values[2].integer,
                let evidence = evidence(values), let evidence
            else { return nil }
            return .addressChanged(
                name: name,
                account: account.hash,
                previous: previous.hash,
                sequence: sequence,
                evidence: evidence
            )
        default: return nil
        }
    }

    /// The last two values: `nil` inside where both are empty.
    private static func evidence(_ values: [ABIValue]) -> NameEvidence?? {
        guard let publicKey = values[3].bytes, let signature = values[4].bytes else { return nil }
        guard !publicKey.isEmpty || !signature.isEmpty else { return .some(nil) }
        return NameEvidence(publicKey: publicKey, signature: signature)
    }

    enum Events {
        private static let name: [ABIEvent.Parameter] = [.indexed(.bytes32)]
        private static let addresses: [ABIEvent.Parameter] = [.indexed(.address), .indexed(.address), .data(.uint256)]

        static let registered = ABIEvent("Registered", name + addresses + [.data(.bytes), .data(.bytes)])
        static let imported = ABIEvent("Imported", name + addresses + [.data(.bytes32)])
        static let addressChanged = ABIEvent("AddressChanged", name + addresses + [.data(.bytes), .data(.bytes)])
        static let transferred = ABIEvent("Transferred", name + addresses)
        static let released = ABIEvent("Released", name + [.data(.uint256)])
        static let configured = ABIEvent("Configured", [.indexed(.bytes32), .indexed(.address), .data(.uint256)])
        static let committed = ABIEvent("Committed", [.indexed(.bytes32)])

        static let all = [registered, imported, addressChanged, transferred, released, configured, committed]
    }

    /// The first topics of all events of a logic.
    public static let topics = Events.all.map(\.topic)
    /// The first topic of ``configured(action:target:value:)``.
    public static let configurationTopic = Events.configured.topic
}
