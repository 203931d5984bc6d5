import Ethereum
import Keys
import NameRegistry
import NameServer
import Runtime
import Testing

@Suite struct OutboxCoreTests {
    static let fees = GasFees(maximum: 2_000, priority: 1_000)

    static func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    static func entry(_ id: Int64, _ state: OutboxEntry.State = .queued, nonce: UInt64? = nil) -> OutboxEntry {
        OutboxEntry(
            id: id,
            localSequence: UInt64(id),
            state: state,
            nonce: nonce,
            transaction: nil,
            transactionHash: nil,
            sentAt: nil,
            attempts: 0,
            nextTry: nil,
            error: nil
        )
    }

    static func core(_ entries: [OutboxEntry], nextNonce: UInt64 = 0) throws -> OutboxCore {
        var core = OutboxCore(nextNonce: nextNonce, blockTime: .seconds(5), randomness: .seeded(1))
        core.load(
            try entries.map { ($0, try ChainSimulationTests.registration(UInt64($0.id), account: UInt64($0.id))) }
        )
        return core
    }

    /// One round in which every registration that is due is found absent.
    static func round(_ core: inout OutboxCore, count: UInt64 = 0, at seconds: Int64) -> [Transmission] {
        for id in core.examinations(now: at(seconds)) {
            core.examined(id, as: .absent(gas: 100_000), now: at(seconds))
        }
        return core.transmissions(count: count, suggested: fees, now: at(seconds))
    }

    @Test func `registrations get numbers in their order, and are sent once`() throws {
        var core = try Self.core([Self.entry(1), Self.entry(2)], nextNonce: 7)
        let sent = Self.round(&core, count: 7, at: 0)
        let again = Self.round(&core, count: 7, at: 1)
        #expect(sent.map(\.nonce) == [7, 8])
        #expect(sent.map(\.purpose) == [.registration(1), .registration(2)])
        #expect(sent.map(\.gas) == [120_000, 120_000])
        #expect(again.isEmpty)
        let changes = core.takeChanges()
        #expect(changes.map(\.state) == [.sent, .sent])
        #expect(changes.map(\.nonce) == [7, 8])
    }

    @Test func `after three block times the same number is sent again for an eighth more`() throws {
        var core = try Self.core([Self.entry(1)])
        _ = Self.round(&core, at: 0)
        let early = Self.round(&core, at: 14)
        let again = Self.round(&core, at: 15)
        #expect(early.isEmpty)
        #expect(again.map(\.nonce) == [0])
        #expect(again.first?.fees == GasFees(maximum: 2_251, priority: 1_126))
    }

    @Test func `what the chain has is not sent again, and nothing is sent on an old word`() throws {
        var core = try Self.core([Self.entry(1)])
        _ = core.examinations(now: Self.at(0))
        core.examined(1, as: .absent(gas: 1), now: Self.at(0))
        _ = core.examinations(now: Self.at(1))
        core.examined(1, as: .present, now: Self.at(1))
        let sent = core.transmissions(count: 0, suggested: Self.fees, now: Self.at(1))
        #expect(sent.isEmpty)
    }

    @Test func `other content is waited for until it is final, then the registration has failed`() throws {
        var core = try Self.core([Self.entry(1)])
        _ = core.examinations(now: Self.at(0))
        core.examined(1, as: .contrary, now: Self.at(0))
        let contested = core.takeChanges()
        #expect(contested.map(\.error) == ["contested"])
        core.note(.displaced, for: 1)
        let failed = core.takeChanges()
        #expect(failed.map(\.state) == [.failed])
        #expect(core.ids.isEmpty)
    }

    @Test func `a reorganisation brings a registration back under way with its number`() throws {
        var core = try Self.core([Self.entry(1, .included, nonce: 4)], nextNonce: 5)
        core.note(.waiting, for: 1)
        let sent = Self.round(&core, count: 4, at: 0)
        #expect(core.entry(1)?.state == .sent)
        #expect(sent.map(\.nonce) == [4])
    }

    @Test func `a number that a block has used is given up for a new one`() throws {
        var core = try Self.core([Self.entry(1, .sent, nonce: 4)], nextNonce: 5)
        let sent = Self.round(&core, count: 5, at: 0)
        #expect(sent.map(\.nonce) == [5])
    }

    @Test func `a number that belongs to nothing is used up, so that those behind can be mined`() throws {
        var core = try Self.core([Self.entry(2, .sent, nonce: 1)], nextNonce: 2)
        let sent = Self.round(&core, count: 0, at: 0)
        #expect(sent.map(\.purpose) == [.filler, .registration(2)])
        #expect(sent.map(\.nonce) == [0, 1])
    }

    @Test(arguments: ["not registrar", "not logic", ""])
    func `a refusal of the server pauses all, and one question asks whether it is over`(message: String) throws {
        var core = try Self.core([Self.entry(1), Self.entry(2)])
        _ = core.examinations(now: Self.at(0))
        core.examined(1, as: .refused(RegistryRefusal(message: message)), now: Self.at(0))
        #expect(core.refusal != nil)
        let paused = Self.round(&core, at: 30)
        let asked = core.examinations(now: Self.at(61))
        #expect(paused.isEmpty)
        #expect(asked == [1])
        let resumed = Self.round(&core, at: 62)
        #expect(core.refusal == nil)
        #expect(resumed.map(\.purpose) == [.registration(1)])
    }

    @Test func `a registration without the commitment that the council wants holds up no other one`() throws {
        var core = try Self.core([Self.entry(1), Self.entry(2)])
        _ = core.examinations(now: Self.at(0))
        core.examined(1, as: .refused(RegistryRefusal(message: "commit required")), now: Self.at(0))
        core.examined(2, as: .absent(gas: 1), now: Self.at(0))
        let sent = core.transmissions(count: 0, suggested: Self.fees, now: Self.at(0))
        #expect(sent.map(\.purpose) == [.registration(2)])
        #expect(core.refusal == nil)
        #expect(core.hindrance == "commit required")
        let early = core.examinations(now: Self.at(30))
        let asked = core.examinations(now: Self.at(61))
        #expect(!early.contains(1))
        #expect(asked.contains(1))
        core.examined(1, as: .absent(gas: 1), now: Self.at(61))
        _ = core.transmissions(count: 0, suggested: Self.fees, now: Self.at(61))
        #expect(core.hindrance == nil)
    }

    @Test func `what cannot succeed fails alone`() throws {
        var core = try Self.core([Self.entry(1), Self.entry(2)])
        _ = core.examinations(now: Self.at(0))
        core.examined(1, as: .refused(RegistryRefusal(message: "invalid name")), now: Self.at(0))
        core.examined(2, as: .absent(gas: 1), now: Self.at(0))
        let sent = core.transmissions(count: 0, suggested: Self.fees, now: Self.at(0))
        #expect(sent.map(\.purpose) == [.registration(2)])
        #expect(core.entry(1)?.state == .failed)
    }

    @Test func `a silent node is asked less and less often`() throws {
        var core = try Self.core([Self.entry(1)])
        var asked = 0
        for second in 0..<600 {
            for id in core.examinations(now: Self.at(Int64(second))) {
                asked += 1
                core.examined(id, as: .unreachable, now: Self.at(Int64(second)))
            }
        }
        #expect((5...30).contains(asked))
    }

    @Test func `the price never passes the cap`() {
        var fees = GasFees(maximum: 900, priority: 900)
        for _ in 0..<100 { fees = fees.raised(cap: 1_000) }
        #expect(fees == GasFees(maximum: 1_000, priority: 1_000))
        #expect(GasFees(maximum: .max, priority: .max).raised(cap: .max).maximum == .max)
    }
}

@Suite struct ModePolicyTests {
    @Test func `a chain stands still when its newest block is older than ten block times, or nothing gets final`() {
        let at = OutboxCoreTests.at
        var health = ChainHealth(blockTime: .seconds(5), started: at(0))
        #expect(health.stall(now: at(1)) != nil)
        health.observe(head: 1, time: WallTime(seconds: 1_000), now: at(1), wallTime: WallTime(seconds: 1_002))
        #expect(health.stall(now: at(40)) == nil)
        #expect(health.stall(now: at(52)) != nil)
        // A clock that jumps stops nothing.
        health.observe(head: 2, time: WallTime(seconds: 1_005), now: at(53), wallTime: WallTime(seconds: 9_000_000))
        #expect(health.stall(now: at(54)) == nil)
        for second in 55..<1_300 {
            health.observe(
                head: UInt64(second),
                time: WallTime(seconds: 0),
                now: at(Int64(second)),
                wallTime: WallTime(seconds: 0)
            )
        }
        #expect(health.stall(now: at(1_300)) != nil)
        health.observe(final: 5, now: at(1_301))
        health.observe(head: 9_999, time: WallTime(seconds: 0), now: at(1_301), wallTime: WallTime(seconds: 0))
        #expect(health.stall(now: at(1_302)) == nil)
        health.observe(alarm: .deepReorganisation(below: 3))
        #expect(health.stall(now: at(1_302)) != nil)
    }

    @Test(arguments: ServerMode.allCases.filter(\.usesChain))
    func `only the modes that ask the chain allow other writers`(mode: ServerMode) {
        let own = ChainSimulationTests.registrar(1)
        let other = ChainSimulationTests.registrar(2)
        let policy = ModePolicy(mode: mode)
        #expect(policy.alarm(registrars: [own], own: own) == nil)
        #expect(policy.alarm(registrars: [other], own: own) != nil)
        let alarm = policy.alarm(registrars: [own, other], own: own)
        #expect((alarm == .otherRegistrar(other)) == (mode == .shadow))
    }

    @Test(arguments: RegistrationState.allCases)
    func `a registration is acknowledged when it is deep enough`(state: RegistrationState) throws {
        let registration = try ChainSimulationTests.registration(1, account: 1)
        let stored = StoredName(
            record: NameRecord(registration),
            evidence: nil,
            state: state,
            block: 7,
            created: WallTime(seconds: 0)
        )
        let early = ModePolicy(mode: .dual, depth: .included).outcome(of: registration, stored: stored)
        let late = ModePolicy(mode: .chain, depth: .final).outcome(of: registration, stored: stored)
        let expected: (InclusionOutcome?, InclusionOutcome?) =
            switch state {
            case .accepted, .sent: (nil, nil)
            case .included: (.included(block: 7), nil)
            case .final: (.included(block: 7), .included(block: 7))
            case .conflict: (.conflict(stored.record), .conflict(stored.record))
            }
        #expect(early == expected.0)
        #expect(late == expected.1)
        let other = try ChainSimulationTests.registration(1, account: 2)
        #expect(ModePolicy(mode: .dual).outcome(of: other, stored: stored) == .conflict(stored.record))
    }
}
