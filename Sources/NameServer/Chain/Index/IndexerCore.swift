package import Ethereum
package import NameRegistry

/// Follows a chain block by block as a pure state machine.
///
/// It holds the newest blocks to find where a reorganisation began, recomputes the registry's journal with every block,
/// and stops at the first thing that does not fit: nothing that failed a check is ever handed on.
/// Source: names protocol, "Following the chain".
package struct IndexerCore: Sendable {
    package struct Limits: Sendable {
        /// How many blocks a reorganisation may replace.
        package var heads = 256
        /// How many final blocks are read at once.
        package var span: UInt64 = 2_000
        /// How far behind the final block reading at once begins.
        package var spanThreshold: UInt64 = 32

        package init() {}
    }

    /// What the driver shall read next.
    package enum Request: Hashable, Sendable {
        /// All that is known has been followed.
        case nothing
        /// One block, with its operations and the journal after it.
        case block(UInt64)
        /// Final blocks: their operations, the last block, and the journal after it if the node still knows it.
        case span(ClosedRange<UInt64>)
        /// One block without its operations, to find where the chain parted from what was followed.
        case ancestor(UInt64)
        case stopped(ChainAlarm)
    }

    /// What the driver shall store, all effects of one call in one transaction.
    package enum Effect: Hashable, Sendable {
        case append(ChainHead, [ChainOperation], evidence: [NameEvidence])
        /// Everything above this block is void.
        case rollBack(to: UInt64)
        /// Blocks up to this one cannot be replaced any more; the operations with these sequences became final by it.
        case final(block: UInt64, operations: ClosedRange<UInt64>?)
        case alarm(ChainAlarm)
    }

    private struct Followed: Sendable {
        var block: ObservedBlock
        var journal: JournalState
    }

    private enum State: Sendable {
        case following
        case searching(candidate: UInt64)
        case stopped(ChainAlarm)
    }

    package let limits: Limits
    private let firstBlock: UInt64
    private let rule: FinalityRule
    private var followed: [Followed] = []
    /// The state before the first followed block.
    private var base: JournalState
    private var state = State.following
    package private(set) var finalBlock: UInt64?
    private var finalSequence: UInt64

    /// Starts behind what was stored, or at the first block of the registry.
    ///
    /// `firstBlock` is the one that the registry was made in, `blocks` those that were followed with the journal after
    /// each, the oldest first, and `finalSequence` the last operation that was handed on as final.
    package init(
        firstBlock: UInt64,
        rule: FinalityRule,
        blocks: [(block: ObservedBlock, journal: JournalState)] = [],
        finalBlock: UInt64? = nil,
        finalSequence: UInt64 = 0,
        limits: Limits = Limits()
    ) {
        self.firstBlock = firstBlock
        self.rule = rule
        self.limits = limits
        followed = blocks.suffix(limits.heads).map { Followed(block: $0.block, journal: $0.journal) }
        base = followed.first?.journal ?? .empty
        self.finalBlock = finalBlock
        self.finalSequence = finalSequence
    }

    /// The newest block that was followed.
    package var head: ObservedBlock? { followed.last?.block }
    package var journal: JournalState { followed.last?.journal ?? base }

    package var alarm: ChainAlarm? {
        if case .stopped(let alarm) = state { alarm } else { nil }
    }

    /// What to read next, given the node's newest block and, where nodes say so, its final one.
    package mutating func next(latest: ObservedBlock, final: UInt64?) -> Request {
        switch state {
        case .stopped(let alarm):
            return .stopped(alarm)
        case .searching(let candidate):
            return .ancestor(min(candidate, latest.number))
        case .following:
            break
        }
        guard let head else { return request(from: firstBlock, latest: latest, final: final) }
        guard latest.number <= head.number else {
            return request(from: head.number + 1, latest: latest, final: final)
        }
        if let known = block(latest.number), known.hash != latest.hash {
            state = .searching(candidate: latest.number)
            return .ancestor(latest.number)
        }
        // The same chain, from a node that is behind.
        return .nothing
    }

    private func request(from next: UInt64, latest: ObservedBlock, final: UInt64?) -> Request {
        guard next <= latest.number else { return .nothing }
        // What is older than all that is kept cannot be taken back either.
        let depth = UInt64(limits.heads)
        let settled = max(min(final ?? 0, latest.number), latest.number > depth ? latest.number - depth : 0)
        if settled >= next, settled - next >= limits.spanThreshold {
            return .span(next...min(settled, next + limits.span - 1))
        }
        return .block(next)
    }

    /// Takes one block, or a span of final ones by the last of them.
    ///
    /// The journal is what the contract holds after the block, `nil` where the node has forgotten; the owners are those
    /// before these blocks of names whose account changes.
    package mutating func receive(
        _ block: ObservedBlock,
        from first: UInt64,
        operations: [ObservedOperation],
        journal onChain: JournalState?,
        owners: [Name: Address]
    ) -> [Effect] {
        guard case .following = state, first == (head?.number).map({ $0 + 1 }) ?? firstBlock else { return [] }
        if let head, first == block.number, block.parent != head.hash {
            state = .searching(candidate: head.number)
            return []
        }
        let chained: [ChainOperation]
        do throws(ChainAlarm) {
            chained = try chain(operations, owners: owners)
        } catch {
            return stop(error)
        }
        let computed = chained.last.map { JournalState(sequence: $0.operation.sequence, head: $0.head) } ?? journal
        if let onChain, onChain != computed {
            return stop(.journalMismatch(block: block.number, computed: computed, onChain: onChain))
        }
        if followed.isEmpty || first != block.number { followed.removeAll(keepingCapacity: true) }
        followed.append(Followed(block: block, journal: computed))
        if followed.count > limits.heads { followed.removeFirst(followed.count - limits.heads) }
        let head = ChainHead(number: block.number, hash: block.hash, parent: block.parent, isFinal: false)
        return [.append(head, chained, evidence: operations.compactMap(\.evidence))]
    }

    /// The operations in the journal's form, each with the head after it.
    private func chain(
        _ operations: [ObservedOperation],
        owners: [Name: Address]
    ) throws(ChainAlarm) -> [ChainOperation] {
        var owners = owners
        var journal = journal
        var result: [ChainOperation] = []
        result.reserveCapacity(operations.count)
        for observed in operations {
            let (expected, overflow) = journal.sequence.addingReportingOverflow(1)
            guard !overflow, observed.sequence == expected else {
                throw .operationOutOfOrder(block: observed.block, expected: expected, found: observed.sequence)
            }
            guard let owner = observed.owner ?? owners[observed.name] else {
                throw .impossibleOperation(block: observed.block, sequence: observed.sequence)
            }
            owners[observed.name] = owner
            let operation = JournalOperation(
                sequence: observed.sequence,
                kind: observed.kind,
                name: observed.name,
                owner: owner,
                account: observed.account,
                evidenceDigest: observed.evidenceDigest
            )
            journal = JournalState(sequence: expected, head: operation.head(after: journal.head))
            result.append(
                ChainOperation(
                    operation: operation,
                    block: observed.block,
                    blockHash: observed.blockHash,
                    logIndex: observed.logIndex,
                    head: journal.head
                )
            )
        }
        return result
    }

    /// Takes the node's block at the number that was asked for, while the common ancestor is searched.
    package mutating func receiveAncestor(_ block: ObservedBlock) -> [Effect] {
        guard case .searching = state else { return [] }
        guard let index = followed.lastIndex(where: { $0.block.number == block.number }) else {
            return stop(.deepReorganisation(below: block.number))
        }
        guard followed[index].block.hash == block.hash else {
            if block.number <= finalBlock ?? 0 || index == 0 {
                return stop(.deepReorganisation(below: block.number))
            }
            state = .searching(candidate: block.number - 1)
            return []
        }
        state = .following
        followed.removeSubrange((index + 1)...)
        return [.rollBack(to: block.number)]
    }

    /// Moves the final block, given the node's word for it where ``FinalityRule/tag`` is the rule.
    package mutating func advanceFinal(tagged: UInt64?) -> [Effect] {
        guard case .following = state, let head else { return [] }
        let newest: UInt64? =
            switch rule {
            case .tag: tagged.map { min($0, head.number) }
            case .seals: rule.newestFinal(among: followed.lazy.map(\.block))
            }
        // A block that is not kept any more was followed in a span of final ones.
        guard let newest, newest > finalBlock ?? 0 || finalBlock == nil else { return [] }
        guard let reached = followed.last(where: { $0.block.number <= newest }) else { return [] }
        let number = reached.block.number
        guard number > finalBlock ?? 0 || finalBlock == nil else { return [] }
        finalBlock = number
        let sequence = reached.journal.sequence
        let operations = sequence > finalSequence ? finalSequence + 1...sequence : nil
        finalSequence = sequence
        return [.final(block: number, operations: operations)]
    }

    /// Tries again after an alarm that a better node may lift; nothing wrong was taken over.
    package mutating func resume() {
        switch state {
        case .stopped(.journalMismatch), .stopped(.operationOutOfOrder), .stopped(.impossibleOperation):
            state = .following
        case .stopped, .following, .searching:
            break
        }
    }

    private mutating func stop(_ alarm: ChainAlarm) -> [Effect] {
        state = .stopped(alarm)
        return [.alarm(alarm)]
    }

    private func block(_ number: UInt64) -> ObservedBlock? {
        followed.last { $0.block.number <= number }.map(\.block).flatMap { $0.number == number ? $0 : nil }
    }
}
