import Ethereum
import Keys
import Runtime
import TestSupport
import Testing

@testable import NameRegistry

@Suite struct ContractTests {
    private let vectors: JSONVector

    init() throws {
        vectors = try JSONVector(file: "jns-contract", in: .module)
    }

    @Test(arguments: [
        ("Council", CouncilContract.Functions.all), ("JnsLogic", LogicContract.Functions.all),
        ("EternalStorage", StorageContract.Functions.all),
    ])
    func `functions have the selectors of the compiler`(contract: String, functions: [ABIFunction]) {
        let selectors = vectors["selectors"][contract]
        for function in functions {
            #expect("0x" + Hex.text(function.selector) == selectors[function.signature].text, "\(function.signature)")
        }
        #expect(Set(functions).count == functions.count)
    }

    @Test(arguments: [
        ("Council", CouncilEvent.Events.all), ("JnsLogic", LogicEvent.Events.all),
        ("EternalStorage", [StorageContract.logicChanged]),
    ])
    func `events have the topics of the compiler`(contract: String, events: [ABIEvent]) {
        let topics = vectors["topics"][contract]
        #expect(events.map(\.signature).sorted() == topics.keys)
        for event in events { #expect(event.topic.hex == topics[event.signature].text) }
    }

    @Test func `a proposal has the payload that votes name`() throws {
        let vector = vectors["payload"]
        let content = ProposalContent(
            kind: try #require(ProposalContent.Kind(rawValue: vector["kind"].unsigned)),
            target: try #require(Address(hex: vector["target"].text)),
            other: .zero,
            key: try #require(Word(hex: vector["key"].text)),
            value: .zero,
            document: try #require(Word(hex: vector["doc"].text))
        )
        let payload = content.payload(
            chain: vector["chainId"].unsigned,
            council: try #require(Address(hex: vector["council"].text)),
            id: vector["id"].unsigned
        )
        #expect(payload.hex == vector["payload"].text)
    }

    @Test func `actions of the logic are told apart, and unknown ones are not taken for known`() throws {
        let name = try #require(Name(canonical: "bob"))
        let account = Address(InfoHash(hashing: "registrar"))
        let actions: [LogicAction] = [
            .registrar(account, isAdmitted: true), .registrar(account, isAdmitted: false), .requireCommitments(true),
            .requireCommitments(false), .openImport(true), .openImport(false), .void(name),
        ]
        for action in actions {
            let (key, target, value) = action.arguments
            #expect(LogicAction(key: key, target: target, value: value) == action)
        }
        let (mode, _, _) = LogicAction.requireCommitments(true).arguments
        #expect(LogicAction(key: mode, target: .zero, value: Word(2)) == nil)
        #expect(LogicAction(key: mode, target: account, value: Word(1)) == nil)
        #expect(LogicAction(key: Word(1), target: .zero, value: .zero) == nil)
        let (void, _, _) = LogicAction.void(name).arguments
        #expect(LogicAction(key: void, target: .zero, value: Word(hashing: [])) == nil)
    }

    private func log(_ event: ABIEvent, topics: [Word], data: [ABIValue]) -> Log {
        Log(
            address: .zero,
            topics: [event.topic] + topics,
            data: ABIValue.encode(data),
            blockNumber: 1,
            blockHash: .zero,
            transaction: .zero,
            index: 0
        )
    }

    @Test func `events of the logic are read`() throws {
        let name = try #require(Name(canonical: "alice_one-9"))
        let account = InfoHash(hashing: "account")
        let owner = Address(InfoHash(hashing: "owner"))
        let topics = [name.word, Word(Address(account)), Word(owner)]
        let evidence = NameEvidence(publicKey: [1, 2], signature: [3])
        let pairs: [(Log, LogicEvent)] = [
            (
                log(LogicEvent.Events.registered, topics: topics, data: [.integer(7), .bytes([1, 2]), .bytes([3])]),
                .registered(name: name, account: account, owner: owner, sequence: 7, evidence: evidence)
            ),
            (
                log(LogicEvent.Events.registered, topics: topics, data: [.integer(7), .bytes([]), .bytes([])]),
                .registered(name: name, account: account, owner: owner, sequence: 7, evidence: nil)
            ),
            (
                log(LogicEvent.Events.imported, topics: topics, data: [.integer(8), .word(Word(5))]),
                .imported(name: name, account: account, owner: owner, sequence: 8, evidenceDigest: Word(5))
            ),
            (
                log(
                    LogicEvent.Events.addressChanged,
                    topics: [name.word, Word(Address(account)), Word(Address(InfoHash.zero))],
                    data: [.integer(9), .bytes([1, 2]), .bytes([3])]
                ),
                .addressChanged(name: name, account: account, previous: .zero, sequence: 9, evidence: evidence)
            ),
            (
                log(
                    LogicEvent.Events.transferred,
                    topics: [name.word, Word(owner), Word(.zero)],
                    data: [.integer(10)]
                ),
                .transferred(name: name, previous: owner, owner: .zero, sequence: 10)
            ),
            (
                log(LogicEvent.Events.released, topics: [name.word], data: [.integer(11)]),
                .released(name: name, sequence: 11)
            ),
            (
                log(LogicEvent.Events.configured, topics: [Word(1), Word(owner)], data: [.integer(12)]),
                .configured(action: Word(1), target: owner, value: Word(12))
            ),
            (log(LogicEvent.Events.committed, topics: [Word(3)], data: []), .committed(Word(3))),
        ]
        for (log, event) in pairs { #expect(LogicEvent(log) == event) }
        #expect(pairs.compactMap(\.1.sequence) == [7, 7, 8, 9, 10, 11])
    }

    @Test func `events that no contract wrote are none`() throws {
        let name = Word(Array("bob".utf8) + Array(repeating: 0, count: 29)) ?? .zero
        let released = LogicEvent.Events.released
        #expect(LogicEvent(log(released, topics: [name], data: [.integer(1)])) != nil)
        #expect(LogicEvent(log(released, topics: [Word(hashing: [])], data: [.integer(1)])) == nil)
        #expect(LogicEvent(log(released, topics: [name], data: [])) == nil)
        #expect(LogicEvent(log(released, topics: [], data: [.integer(1)])) == nil)
        #expect(LogicEvent(log(released, topics: [name], data: [.word(Word(hashing: []))])) == nil)
        #expect(CouncilEvent(log(released, topics: [name], data: [.integer(1)])) == nil)
        #expect(CouncilEvent(log(CouncilEvent.Events.closed, topics: [Word(1)], data: [.integer(6)])) == nil)
    }

    @Test func `events of the council are read`() throws {
        let one = Address(InfoHash(hashing: "one"))
        let two = Address(InfoHash(hashing: "two"))
        let content = ProposalContent.reassign(5, from: one, to: two)
        let proposed = log(
            CouncilEvent.Events.proposed,
            topics: [Word(3), Word(one)],
            data: [
                .word(Word(9)), .integer(4), .address(one), .address(two), .word(.zero), .integer(5), .integer(77),
                .word(.zero),
            ]
        )
        guard case .proposed(let event) = CouncilEvent(proposed) else {
            Issue.record("no proposal")
            return
        }
        #expect(event.content == content)
        #expect([event.id, event.expires] == [3, 77])
        let delegated = log(CouncilEvent.Events.delegated, topics: [Word(one), Word(two)], data: [.integer(5)])
        #expect(CouncilEvent(delegated) == .delegated(source: one, to: two, amount: 5))
        let voted = log(
            CouncilEvent.Events.voted,
            topics: [Word(3), Word(one)],
            data: [.boolean(true), .integer(5), .integer(6), .integer(7)]
        )
        #expect(CouncilEvent(voted) == .voted(id: 3, voter: one, support: true, power: 5, yes: 6, no: 7))
        #expect(
            CouncilEvent(log(CouncilEvent.Events.closed, topics: [Word(3)], data: [.integer(2)]))
                == .closed(id: 3, outcome: .executed)
        )
        #expect(
            CouncilEvent(log(CouncilEvent.Events.logicSelected, topics: [Word(one), Word(two)], data: []))
                == .logicSelected(previous: one, current: two)
        )
        #expect(
            CouncilEvent(log(CouncilEvent.Events.storageAdded, topics: [Word(1), Word(two)], data: []))
                == .storageAdded(index: 1, storage: two)
        )
    }

    @Test func `code that came with this program is recognised`() {
        let council = Address(InfoHash(hashing: "council"))
        let storage = Address(InfoHash(hashing: "storage"))
        for version in ContractVersion.all {
            let logic = version.logicCode(council: council, storage: storage)
            #expect(KnownCode(logic) == .logic(council: council, storage: storage))
            #expect(KnownCode(version.storageCode(owner: council)) == .storage(owner: council))
            var changed = logic
            changed[100] ^= 1
            #expect(KnownCode(changed) == nil)
            #expect(KnownCode(Array(logic.dropLast())) == nil)
            // The blueprint is the deploying code without the ten bytes in front that return it.
            let blueprint = Array(version.deployBlueprint().dropFirst(10))
            #expect(blueprint.starts(with: [0xFE, 0x71, 0x00]))
            #expect(KnownCode(blueprint) == .storageBlueprint)
        }
        #expect(KnownCode([]) == nil)
    }

    @Test func `reasons of reverts are told apart`() {
        let error = ABIFunction("Error", [.string])
        func refusal(_ text: String) -> ContractRefusal? {
            ContractRefusal(NodeRefusal(code: 3, message: "reverted", revertData: error.encode([.string(text)])))
        }
        #expect(refusal("taken") == .nameTaken)
        #expect(refusal("addr taken") == .accountTaken)
        #expect(refusal("not registrar") == .notRegistrar)
        #expect(refusal("something else") == .other("something else"))
        #expect(ContractRefusal(NodeRefusal(code: 3, message: "reverted")) == .other(nil))
        #expect(ContractRefusal(NodeRefusal(code: -32_000, message: "nonce too low")) == nil)
        #expect(ContractRefusal(NodeError.timedOut) == nil)
    }

    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func `reading events is total`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var mutations = ByteMutations(seed: seed)
        let topics = LogicEvent.topics + CouncilEvent.topics
        let data = ABIValue.encode([.integer(7), .bytes([1, 2]), .bytes([3])])
        for _ in 0..<2_000 {
            let count = Int(generator.next() % 4)
            let log = Log(
                address: .zero,
                topics: [topics[Int(generator.next() % UInt64(topics.count))]]
                    + (0..<count).compactMap { _ in Word(mutations.next(of: Word(7).bytes)) },
                data: mutations.next(of: data),
                blockNumber: 0,
                blockHash: .zero,
                transaction: .zero,
                index: 0
            )
            _ = LogicEvent(log)
            _ = CouncilEvent(log)
        }
    }
}
