import Ethereum
import Keys
import NameRegistry
import NameServer
import Runtime
import Testing

@Suite struct IndexerCoreTests {
    static func hash(_ number: UInt64, _ branch: UInt8 = 0) -> Word {
        Word(hashing: [branch] + Word(number).bytes)
    }

    static func block(_ number: UInt64, branch: UInt8 = 0, after parent: UInt8? = nil, sealer: UInt8? = nil)
        -> ObservedBlock
    {
        ObservedBlock(
            number: number,
            hash: hash(number, branch),
            parent: number == 0 ? .zero : hash(number - 1, parent ?? branch),
            time: WallTime(seconds: Int64(number)),
            sealer: sealer.map { Address(InfoHash(hashing: [$0])) }
        )
    }

    static func operation(_ sequence: UInt64, in block: UInt64) throws -> ObservedOperation {
        ObservedOperation(
            sequence: sequence,
            kind: .register,
            name: try #require(Name(canonical: "name-\(sequence)")),
            owner: Address(InfoHash(hashing: [1])),
            account: InfoHash(hashing: [2, UInt8(truncatingIfNeeded: sequence)]),
            evidenceDigest: .zero,
            evidence: nil,
            block: block,
            blockHash: hash(block),
            logIndex: 0
        )
    }

    static func core(rule: FinalityRule = .tag, through last: UInt64, limits: IndexerCore.Limits = .init())
        -> IndexerCore
    {
        var core = IndexerCore(firstBlock: 0, rule: rule, limits: limits)
        for number in 0...last {
            _ = core.receive(block(number), from: number, operations: [], journal: .empty, owners: [:])
        }
        return core
    }

    @Test func `blocks are asked for one after the other, and nothing when all are known`() {
        var core = Self.core(through: 3)
        let next = core.next(latest: Self.block(5), final: nil)
        let nothing = core.next(latest: Self.block(3), final: nil)
        let behind = core.next(latest: Self.block(2), final: nil)
        #expect(next == .block(4))
        #expect(nothing == .nothing)
        #expect(behind == .nothing)
    }

    @Test func `far behind the final block, many blocks are read at once`() {
        var core = Self.core(through: 3)
        let many = core.next(latest: Self.block(5_000), final: 4_900)
        let few = core.next(latest: Self.block(20), final: 10)
        let unmarked = core.next(latest: Self.block(5_000), final: nil)
        #expect(many == .span(4...2_003))
        #expect(few == .block(4))
        #expect(unmarked == .span(4...2_003))
    }

    @Test func `a reorganisation is rolled back to the last common block`() {
        var core = Self.core(through: 6)
        var effects = core.receive(
            Self.block(7, branch: 1),
            from: 7,
            operations: [],
            journal: .empty,
            owners: [:]
        )
        #expect(effects.isEmpty)
        for number in [UInt64(6), 5] {
            let request = core.next(latest: Self.block(7, branch: 1), final: nil)
            #expect(request == .ancestor(number))
            effects = core.receiveAncestor(Self.block(number, branch: 1))
            #expect(effects.isEmpty)
        }
        effects = core.receiveAncestor(Self.block(4))
        #expect(effects == [.rollBack(to: 4)])
        let request = core.next(latest: Self.block(7, branch: 1), final: nil)
        #expect(request == .block(5))
    }

    @Test func `a shorter branch is noticed, too`() {
        var core = Self.core(through: 6)
        let request = core.next(latest: Self.block(5, branch: 1), final: nil)
        #expect(request == .ancestor(5))
    }

    @Test func `a reorganisation deeper than what is kept, or below the final block, is an alarm`() {
        var limits = IndexerCore.Limits()
        limits.heads = 4
        for final in [nil, 5] as [UInt64?] {
            var core = Self.core(through: 8, limits: limits)
            if let final { _ = core.advanceFinal(tagged: final) }
            _ = core.next(latest: Self.block(8, branch: 1), final: nil)
            for number in stride(from: UInt64(8), through: 4, by: -1) where core.alarm == nil {
                _ = core.receiveAncestor(Self.block(number, branch: 1))
            }
            #expect(core.alarm == .deepReorganisation(below: 5))
            core.resume()
            #expect(core.alarm != nil)
        }
    }

    @Test func `operations that do not hash to the journal stop everything, and are not handed on`() throws {
        var core = Self.core(through: 3)
        let forged = JournalState(sequence: 1, head: Word(7))
        let effects = core.receive(
            Self.block(4),
            from: 4,
            operations: [try Self.operation(1, in: 4)],
            journal: forged,
            owners: [:]
        )
        guard case .alarm(.journalMismatch) = effects.first else {
            Issue.record("no alarm: \(effects)")
            return
        }
        #expect(effects.count == 1)
        #expect(core.journal == .empty)
        core.resume()
        let request = core.next(latest: Self.block(4), final: nil)
        #expect(request == .block(4))
    }

    @Test(arguments: [[2], [1, 1], [1, 3], [0]] as [[UInt64]])
    func `operations out of order are an alarm`(sequences: [UInt64]) throws {
        var core = Self.core(through: 3)
        let operations = try sequences.map { try Self.operation($0, in: 4) }
        let effects = core.receive(Self.block(4), from: 4, operations: operations, journal: nil, owners: [:])
        guard case .alarm(.operationOutOfOrder) = effects.first else {
            Issue.record("no alarm: \(effects)")
            return
        }
    }

    @Test(
        arguments: [([1, 2, 3, 4, 5], 1), ([1, 2, 1, 2, 3, 4], 2), ([1, 2, 3, 1, 2, 3], nil), ([], nil)]
            as [([UInt8], UInt64?)]
    )
    func `a block is final once it and its children carry enough seals`(sealers: [UInt8], final: UInt64?) {
        let blocks = sealers.enumerated().map { Self.block(UInt64($0.offset), sealer: $0.element) }
        #expect(FinalityRule.clique(signers: 5).newestFinal(among: blocks) == final)
        #expect(FinalityRule.tag.newestFinal(among: blocks) == nil)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `whatever it is fed, it never goes back below what is final`(seed: UInt64) throws {
        var randomness = Randomness.seeded(seed)
        var core = Self.core(through: 3)
        var final: UInt64 = 0
        for _ in 0..<500 {
            let number = UInt64.random(in: 0...20, using: &randomness)
            let branch = UInt8.random(in: 0...2, using: &randomness)
            let block = Self.block(number, branch: branch, after: UInt8.random(in: 0...2, using: &randomness))
            let effects: [IndexerCore.Effect]
            switch Int.random(in: 0...4, using: &randomness) {
            case 0: effects = core.receiveAncestor(block)
            case 1:
                let operations = try (0..<UInt64.random(in: 0...2, using: &randomness)).map {
                    try Self.operation(core.journal.sequence + 1 + $0, in: number)
                }
                effects = core.receive(block, from: number, operations: operations, journal: nil, owners: [:])
            case 2: effects = core.advanceFinal(tagged: number)
            case 3:
                core.resume()
                effects = []
            default:
                _ = core.next(latest: block, final: nil)
                effects = []
            }
            for case .rollBack(let block) in effects { #expect(block >= final) }
            for case .final(let block, _) in effects {
                #expect(block >= final)
                final = block
            }
        }
    }
}
