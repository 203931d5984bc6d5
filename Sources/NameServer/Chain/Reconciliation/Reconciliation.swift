package import NameRegistry

/// Compares what is stored with what the chain holds at its newest final block, and says what to do about differences.
///
/// Source: names protocol, "Reconciliation".
package struct Reconciliation: Sendable {
    /// What is to be done; nothing acknowledged is ever overwritten by it.
    package enum Action: Hashable, Sendable {
        /// A final history on the chain that the stored name has not been compared with, or not rightly.
        case settle(Name)
        /// A registration that nothing brings to the chain.
        case enqueue(localSequence: UInt64, Name)
        /// The chain does not have what is stored as final.
        case withdraw(Name)
    }

    package struct Report: Hashable, Sendable {
        /// The block that the comparison was made at.
        package var block: UInt64 = 0
        package var names = 0
        /// The stored journal and the contract's at this block.
        package var stored = JournalState.empty
        package var onChain = JournalState.empty
        /// Names that are final here but different on the chain.
        package var different: [Name] = []
        /// Names that waited for nothing.
        package var forgotten: [Name] = []
        /// Names that only the chain had, without evidence that verifies.
        package var unsigned: [Name] = []
        /// Names that only the chain had.
        package var missing: [Name] = []
        package var unresolvedConflicts = 0

        package init() {}

        package var isJournalEqual: Bool { stored == onChain }
        package var isEqual: Bool {
            isJournalEqual && different.isEmpty && forgotten.isEmpty && missing.isEmpty && unresolvedConflicts == 0
        }
    }

    /// One stored name beside its history on the chain.
    package struct Pair: Sendable {
        package let name: Name
        package let local: StoredName?
        /// Whether something brings it to the chain.
        package let isOnItsWay: Bool
        /// The operation of the own log that accepted it, if one did.
        package let localSequence: UInt64?
        /// The operations up to the final block.
        package let chain: ChainReplay

        package init(name: Name, local: StoredName?, isOnItsWay: Bool, localSequence: UInt64?, chain: ChainReplay) {
            self.name = name
            self.local = local
            self.isOnItsWay = isOnItsWay
            self.localSequence = localSequence
            self.chain = chain
        }
    }

    package private(set) var report = Report()
    /// How many names of a kind a report lists.
    private let listed = 1_000

    package init(block: UInt64, stored: JournalState, onChain: JournalState) {
        report.block = block
        report.stored = stored
        report.onChain = onChain
    }

    package mutating func compare(_ pair: Pair) -> Action? {
        report.names += 1
        switch (pair.local, pair.chain.record) {
        case (nil, nil):
            return nil
        case (nil, _?):
            add(pair.name, to: \.missing)
            return .settle(pair.name)
        case (let local?, let chain?) where local.record == chain:
            return local.state == .final ? nil : .settle(pair.name)
        case (let local?, _?):
            if local.state == .final { add(pair.name, to: \.different) }
            return local.state == .conflict ? nil : .settle(pair.name)
        case (let local?, nil):
            switch local.state {
            case .final:
                add(pair.name, to: \.different)
                return .withdraw(pair.name)
            case .accepted, .sent, .included:
                guard !pair.isOnItsWay, let sequence = pair.localSequence else { return nil }
                add(pair.name, to: \.forgotten)
                return .enqueue(localSequence: sequence, pair.name)
            case .conflict:
                return nil
            }
        }
    }

    package mutating func finish(unresolvedConflicts: Int) -> Report {
        report.unresolvedConflicts = unresolvedConflicts
        return report
    }

    package mutating func noteUnsigned(_ name: Name) {
        add(name, to: \.unsigned)
    }

    private mutating func add(_ name: Name, to list: WritableKeyPath<Report, [Name]>) {
        if report[keyPath: list].count < listed { report[keyPath: list].append(name) }
    }
}
