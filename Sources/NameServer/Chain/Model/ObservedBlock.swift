package import Ethereum
package import Keys
package import NameRegistry
package import Runtime

/// A block as a node shows it.
package struct ObservedBlock: Hashable, Sendable {
    package let number: UInt64
    package let hash: Word
    package let parent: Word
    /// The time that the block claims.
    package let time: WallTime
    /// Who sealed it, on chains whose blocks say so.
    package let sealer: Address?

    package init(number: UInt64, hash: Word, parent: Word, time: WallTime, sealer: Address?) {
        self.number = number
        self.hash = hash
        self.parent = parent
        self.time = time
        self.sealer = sealer
    }
}

/// An operation as a contract's log shows it; what the log leaves out is found by replaying.
package struct ObservedOperation: Hashable, Sendable {
    package let sequence: UInt64
    package let kind: JournalOperation.Kind
    package let name: Name
    /// `nil` for a change of the account, whose log does not name the owner.
    package let owner: Address?
    package let account: InfoHash?
    package let evidenceDigest: Word
    /// The evidence itself; `nil` where the log holds its digest at most.
    package let evidence: NameEvidence?
    package let block: UInt64
    package let blockHash: Word
    package let logIndex: UInt64

    package init(
        sequence: UInt64,
        kind: JournalOperation.Kind,
        name: Name,
        owner: Address?,
        account: InfoHash?,
        evidenceDigest: Word,
        evidence: NameEvidence?,
        block: UInt64,
        blockHash: Word,
        logIndex: UInt64
    ) {
        self.sequence = sequence
        self.kind = kind
        self.name = name
        self.owner = owner
        self.account = account
        self.evidenceDigest = evidenceDigest
        self.evidence = evidence
        self.block = block
        self.blockHash = blockHash
        self.logIndex = logIndex
    }
}

/// The two slots of a registry's store that say what has happened so far.
package struct JournalState: Hashable, Sendable {
    /// How many operations there were.
    package var sequence: UInt64
    package var head: Word

    package static let empty = JournalState(sequence: 0, head: .zero)

    package init(sequence: UInt64, head: Word) {
        self.sequence = sequence
        self.head = head
    }
}
