import Ethereum
package import NameRegistry

/// What operations of a registry, in their order, make of one name.
package struct ChainReplay: Hashable, Sendable {
    /// The states that the name has had, the newest last.
    package private(set) var states: [NameRecord] = []

    package init() {}

    package init(_ operations: some Sequence<JournalOperation>) {
        for operation in operations { apply(operation) }
    }

    package var record: NameRecord? { states.last }

    /// Takes the next operation; `false` for one that no contract can have made in this state.
    @discardableResult package mutating func apply(_ operation: JournalOperation) -> Bool {
        guard let next = Self.record(after: operation, on: states.last) else { return false }
        states.append(next)
        return true
    }

    /// The record that an operation makes of another; `nil` where the rules of a registry do not allow it.
    package static func record(after operation: JournalOperation, on record: NameRecord?) -> NameRecord? {
        switch (operation.kind, record) {
        case (.register, nil):
            guard let account = operation.account else { return nil }
            return NameRecord(
                name: operation.name,
                owner: operation.owner,
                account: account,
                evidenceDigest: operation.evidenceDigest
            )
        case (.address, let record?):
            guard !record.isWithdrawn, let account = operation.account else { return nil }
            return NameRecord(
                name: record.name,
                owner: record.owner,
                account: account,
                evidenceDigest: operation.evidenceDigest
            )
        case (.transfer, let record?):
            guard !record.isWithdrawn else { return nil }
            return NameRecord(
                name: record.name,
                owner: operation.owner,
                account: record.account,
                evidenceDigest: record.evidenceDigest
            )
        case (.release, _):
            // Without a registration before, the name was imported as a withdrawn one.
            guard record?.isWithdrawn != true else { return nil }
            return NameRecord(name: operation.name, owner: NameRecord.tombstone, account: nil, evidenceDigest: .zero)
        case (.register, .some), (.address, nil), (.transfer, nil):
            return nil
        }
    }
}
