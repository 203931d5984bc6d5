import Ethereum
import Keys
import Runtime
import TestSupport
import Testing

@testable import NameRegistry

private let one = Address(InfoHash(hashing: "one"))
private let two = Address(InfoHash(hashing: "two"))
private let councilAddress = Address(InfoHash(hashing: "council"))
private let storageAddress = Address(InfoHash(hashing: "storage"))
private let logicAddress = Address(InfoHash(hashing: "logic"))

private func log(_ event: ABIEvent, _ topics: [Word], _ data: [ABIValue] = []) -> Log {
    Log(
        address: councilAddress,
        topics: [event.topic] + topics,
        data: ABIValue.encode(data),
        blockNumber: 7,
        blockHash: .zero,
        transaction: .zero,
        index: 0
    )
}

private func delegated(_ source: Address, _ to: Address, _ amount: UInt64) -> Log {
    log(CouncilEvent.Events.delegated, [Word(source), Word(to)], [.integer(amount)])
}

private func proposed(_ content: ProposalContent, id: UInt64) -> Log {
    let payload = content.payload(chain: 1_551, council: councilAddress, id: id)
    return log(
        CouncilEvent.Events.proposed,
        [Word(id), Word(one)],
        [
            .word(payload), .integer(content.kind.rawValue), .address(content.target), .address(content.other),
            .word(content.key), .word(content.value), .integer(99), .word(content.document),
        ]
    )
}

private func closed(_ id: UInt64, _ outcome: CouncilEvent.Outcome) -> Log {
    log(CouncilEvent.Events.closed, [Word(id)], [.integer(outcome.rawValue)])
}

@Suite struct CouncilHistoryTests {
    @Test func `members, proposals and the logic follow from the events`() throws {
        var history = CouncilHistory()
        let vote = log(
            CouncilEvent.Events.voted,
            [Word(1), Word(one)],
            [.boolean(true), .integer(60), .integer(60), .integer(0)]
        )
        let logs = [
            delegated(.zero, one, 100), delegated(one, two, 40), proposed(.freeze(), id: 1), vote, closed(1, .passed),
            closed(1, .executed), log(CouncilEvent.Events.logicSelected, [Word(.zero), Word(logicAddress)]),
            log(CouncilEvent.Events.storageAdded, [Word(0), Word(storageAddress)]),
            proposed(.reassign(5, from: one, to: two), id: 2), closed(2, .rejected), delegated(two, one, 40),
        ]
        for log in logs { try history.append(log) }
        #expect(history.stakes == [one: 100])
        #expect(history.members.map(\.address) == [one])
        #expect(history.total == 100)
        #expect(history.logic == logicAddress)
        #expect(history.storages == [storageAddress])
        #expect(history.proposals.map(\.ending) == [.executed, .rejected])
        #expect(history.proposals.map(\.hasPassed) == [true, false])
        #expect(history[1]?.votes == [CouncilHistory.Vote(voter: one, support: true, power: 60)])
        #expect(history[2]?.proposed.content == .reassign(5, from: one, to: two))
        #expect(history[3] == nil)
    }

    @Test func `events that cannot be all of them are refused`() throws {
        var history = CouncilHistory()
        try history.append(delegated(.zero, one, 100))
        #expect(throws: CouncilHistory.Inconsistency.stakeMissing(one)) { try history.append(delegated(one, two, 101)) }
        #expect(throws: CouncilHistory.Inconsistency.stakeMissing(two)) { try history.append(delegated(two, one, 1)) }
        #expect(throws: CouncilHistory.Inconsistency.unknownProposal(1)) { try history.append(closed(1, .passed)) }
        #expect(throws: CouncilHistory.Inconsistency.unknownEvent) {
            try history.append(log(CouncilEvent.Events.closed, [Word(1)], [.integer(9)]))
        }
    }
}

@Suite struct ProposalReviewTests {
    private let version = ContractVersion.cancun
    private var blueprint: [UInt8] { Array(version.deployBlueprint().dropFirst(10)) }
    private var logicCode: [UInt8] { version.logicCode(council: councilAddress, storage: storageAddress) }

    private func facts(
        _ content: ProposalContent,
        code: [UInt8] = [],
        accepted: Set<Word> = []
    ) throws -> ProposalReview.Facts {
        var history = CouncilHistory()
        try history.append(delegated(.zero, one, 100))
        let state = CouncilState(
            chain: 1_551,
            council: councilAddress,
            settings: nil,
            history: history,
            current: nil,
            logic: logicAddress,
            totalStake: 100,
            head: try CouncilSetupTests.header()
        )
        var facts = ProposalReview.Facts(
            planned: content,
            id: 3,
            proposer: one,
            in: state,
            targetCode: code,
            logicCode: logicCode,
            acceptedCode: accepted
        )
        facts.storages = [storageAddress]
        return facts
    }

    private func objections(_ facts: ProposalReview.Facts) -> [ProposalReview.Objection] {
        ProposalReview(facts).objections
    }

    private func storage(_ code: [UInt8]) -> ProposalContent {
        .addStorage(blueprint: two, codeHash: Word(hashing: code))
    }

    @Test func `everything that this program can propose is told in full`() throws {
        let name = try #require(Name(canonical: "mallory"))
        let document = Word(hashing: [1])
        let cases: [(ProposalContent, [UInt8], String)] = [
            (storage(blueprint), blueprint, "Adds a storage"),
            (.selectLogic(two, codeHash: Word(hashing: logicCode)), logicCode, "Selects the logic \(two.checksummed)"),
            (.freeze(document: document), [], "Freezes the registry"),
            (.configure(.registrar(two, isAdmitted: true)), [], "Lets \(two.checksummed) register names."),
            (.configure(.registrar(two, isAdmitted: false)), [], "Takes the right"),
            (.configure(.requireCommitments(true)), [], "Requires that registrations"),
            (.configure(.requireCommitments(false)), [], "Lets registrars register names without"),
            (.configure(.openImport(true)), [], "Lets registrars import"),
            (.configure(.openImport(false)), [], "Ends the import"),
            (.configure(.void(name)), [], "Withdraws the name “mallory” for ever"),
            (.reassign(70, from: one, to: two), [], "Takes up to 70 of the stake of \(one.checksummed)"),
        ]
        for (content, code, text) in cases {
            let facts = try facts(content, code: code)
            let review = ProposalReview(facts)
            #expect(review.objections == [], "\(text)")
            #expect(review.effect.hasPrefix(text), "\(review.effect)")
            #expect(review.payload == facts.proposal.payload)
        }
        let withText = ProposalReview(try facts(.freeze(document: document)))
        #expect(withText.details.contains { $0.contains(document.hex) })
        let reassign = ProposalReview(try facts(.reassign(70, from: one, to: two)))
        #expect(reassign.details.first == "\(one.checksummed) holds 100 now, 70 of it would move.")
    }

    @Test func `code that others wrote needs its hash from the person`() throws {
        let code: [UInt8] = [0x60, 0x00]
        let hash = Word(hashing: code)
        for content in [storage(code), .selectLogic(two, codeHash: hash)] {
            #expect(try objections(facts(content, code: code)) == [.unknownCode(hash)])
            #expect(try objections(facts(content, code: code, accepted: [hash])) == [])
            #expect(try objections(facts(content, code: code, accepted: [.zero])) == [.unknownCode(hash)])
        }
        // A proxy in place of the logic would do anything under the same names.
        var configured = try facts(.configure(.openImport(true)))
        configured.logicCode = code
        #expect(objections(configured) == [.unknownCode(hash)])
    }

    @Test func `code other than the named one is refused, accepted or not`() throws {
        let other: [UInt8] = [1]
        let hash = Word(hashing: other)
        let content = ProposalContent.selectLogic(two, codeHash: Word(hashing: logicCode))
        #expect(
            try objections(facts(content, code: other, accepted: [hash, content.key])) == [.otherCode(atTarget: hash)]
        )
        #expect(try objections(facts(content, code: [])).contains(.otherCode(atTarget: Word(hashing: []))))
    }

    @Test func `a logic for others is refused`() throws {
        for code in [
            version.logicCode(council: one, storage: storageAddress),
            version.logicCode(council: councilAddress, storage: one),
        ] {
            let content = ProposalContent.selectLogic(two, codeHash: Word(hashing: code))
            #expect(try objections(facts(content, code: code)) == [.foreignLogic])
        }
    }

    @Test func `a hash that is not that of the content is refused`() throws {
        var facts = try facts(.freeze())
        let right = facts.proposal.payload
        facts.chain = 1
        let recomputed = ProposalContent.freeze().payload(chain: 1, council: councilAddress, id: 3)
        #expect(recomputed != right)
        #expect(objections(facts) == [.otherPayload(recomputed: recomputed)])
        facts.event = nil
        #expect(objections(facts) == [.eventMissing, .otherPayload(recomputed: recomputed)])
    }

    @Test func `an event that tells something else is refused`() throws {
        var freeze = try facts(.freeze())
        freeze.event = try facts(.configure(.openImport(true))).event
        #expect(objections(freeze) == [.eventDiffers])
        var documented = try facts(.freeze())
        documented.event = try facts(.freeze(document: Word(1))).event
        #expect(objections(documented).contains(.eventDiffers))
    }

    @Test func `what this version does not know is refused`() throws {
        let unknown = ProposalContent(
            kind: .configure,
            target: two,
            other: .zero,
            key: Word(hashing: Array("jns.v2.fee".utf8)),
            value: Word(1),
            document: .zero
        )
        #expect(try objections(facts(unknown)) == [.unknownAction])
        for (target, other, key, value) in [
            (two, one, Word(hashing: [1]), Word.zero), (two, .zero, Word(hashing: [1]), Word(1)),
        ] {
            let content = ProposalContent(
                kind: .selectLogic,
                target: target,
                other: other,
                key: key,
                value: value,
                document: .zero
            )
            #expect(try objections(facts(content, code: [1], accepted: [key])) == [.unusedArguments])
        }
        let freeze = ProposalContent(
            kind: .selectLogic,
            target: .zero,
            other: .zero,
            key: Word(1),
            value: .zero,
            document: .zero
        )
        #expect(try objections(facts(freeze)) == [.unusedArguments])
        let large = ProposalContent(
            kind: .reassign,
            target: one,
            other: two,
            key: .zero,
            value: Word(hashing: []),
            document: .zero
        )
        #expect(try objections(facts(large)) == [.unusedArguments])
    }

    @Test func `a kind of a later council is refused`() throws {
        let known = try facts(.freeze())
        let proposal = try #require(
            try CouncilContract(councilAddress).current().decode(
                ABIValue.encode([
                    .tuple([
                        .integer(3), .address(one), .integer(5), .address(two), .address(.zero), .word(.zero),
                        .integer(0), .integer(9), .integer(0), .integer(0), .integer(0), .word(.zero),
                    ])
                ])
            )
        )
        var facts = known
        facts.proposal = proposal
        let review = ProposalReview(facts)
        #expect(review.objections == [.unknownKind])
        #expect(review.payload == nil)
    }

    @Test func `no proposal is told from a broken answer`() throws {
        let call = CouncilContract(councilAddress).current()
        #expect(try call.decode(Array(repeating: 0, count: 12 * 32)) == nil)
        #expect(throws: ABIError.self) { try call.decode([]) }
    }
}

@Suite struct CouncilSetupTests {
    /// Any header.
    static func header(timestamp: UInt64 = 1_000) throws -> BlockHeader {
        let zero = RLPValue.word(.zero)
        let number = RLPValue.integer(UInt64(1))
        let fields: [RLPValue] = [
            zero, zero, .address(.zero), zero, zero, zero, .bytes(Array(repeating: 0, count: 256)), number, number,
            number, number, .integer(timestamp), .bytes([]), zero, .bytes(Array(repeating: 0, count: 8)), number,
        ]
        return try BlockHeader(decoding: RLPValue.list(fields).encoded)
    }

    private func situation(
        _ content: ProposalContent? = nil,
        storages: [Address] = [],
        logic: Address = .zero,
        executableFrom: UInt64? = nil,
        vote: Bool? = nil,
        isAcceptable: Bool = true,
        registrars: Set<Address> = []
    ) throws -> CouncilSetup.Situation {
        var history = CouncilHistory()
        for (index, storage) in storages.enumerated() {
            try history.append(log(CouncilEvent.Events.storageAdded, [Word(UInt64(index)), Word(storage)]))
        }
        let current = content.map {
            CurrentProposal(
                id: 1,
                proposer: one,
                kind: Word($0.kind.rawValue),
                target: $0.target,
                other: $0.other,
                key: $0.key,
                value: $0.value,
                expires: 5_000,
                executableFrom: executableFrom,
                yes: 0,
                no: 0,
                payload: Word(9)
            )
        }
        return CouncilSetup.Situation(
            state: CouncilState(
                chain: 1,
                council: councilAddress,
                settings: nil,
                history: history,
                current: current,
                logic: logic,
                totalStake: 0,
                head: try Self.header()
            ),
            now: 1_100,
            isAcceptable: isAcceptable,
            vote: vote,
            registrars: registrars,
            requiresCommitments: false
        )
    }

    @Test func `storage, logic, registrars and mode follow each other`() throws {
        let goal = CouncilSetup.Goal(registrars: [one, two], requiresCommitments: true)
        let storages = [storageAddress]
        func next(_ situation: CouncilSetup.Situation) -> CouncilSetup.Step { CouncilSetup.next(situation, goal: goal) }
        #expect(next(try situation()) == .proposeStorage)
        #expect(next(try situation(storages: storages)) == .proposeLogic(storage: storageAddress))
        #expect(
            next(try situation(storages: storages, logic: logicAddress)) == .propose(.registrar(one, isAdmitted: true))
        )
        #expect(
            next(try situation(storages: storages, logic: logicAddress, registrars: [one]))
                == .propose(.registrar(two, isAdmitted: true))
        )
        var last = try situation(storages: storages, logic: logicAddress, registrars: [one, two])
        #expect(next(last) == .propose(.requireCommitments(true)))
        last.requiresCommitments = true
        #expect(next(last) == .done)
    }

    @Test func `a proposal is voted on, waited for and executed`() throws {
        let goal = CouncilSetup.Goal()
        let content = ProposalContent.addStorage(blueprint: two, codeHash: Word(1))
        func next(_ situation: CouncilSetup.Situation) -> CouncilSetup.Step { CouncilSetup.next(situation, goal: goal) }
        #expect(next(try situation(content)) == .vote(Word(9)))
        #expect(next(try situation(content, vote: true)) == .awaitVotes)
        #expect(next(try situation(content, vote: false)) == .blocked)
        #expect(next(try situation(content, executableFrom: 1_101, vote: true)) == .wait(until: 1_101))
        #expect(next(try situation(content, executableFrom: 1_100, vote: true)) == .execute(Word(9)))
    }

    @Test func `a proposal that is no step is left to the members`() throws {
        let goal = CouncilSetup.Goal()
        #expect(CouncilSetup.next(try situation(.freeze()), goal: goal) == .blocked)
        let content = ProposalContent.addStorage(blueprint: two, codeHash: Word(1))
        #expect(CouncilSetup.next(try situation(content, isAcceptable: false), goal: goal) == .blocked)
        #expect(CouncilSetup.next(try situation(content, storages: [one], logic: two), goal: goal) == .blocked)
    }
}
