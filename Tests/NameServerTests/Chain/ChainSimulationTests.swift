import Ethereum
import Keys
import NameRegistry
import NameServer
import Runtime
import Synchronization
import TestSupport
import Testing

/// A clock that a test moves.
final class ManualTime: TimeSource {
    private let seconds = Mutex<Int64>(1_000)

    var now: Instant { Instant(nanoseconds: seconds.withLock { $0 } * 1_000_000_000) }
    var wallTime: WallTime { WallTime(seconds: seconds.withLock { $0 }) }
    func advance(_ count: Int64 = 1) { seconds.withLock { $0 += count } }
}

/// A server that follows and writes to a simulated chain, and may die between and inside of any two writes.
struct SimulatedServer {
    let store = MemoryStore()
    let node: SimulatedNode
    let policy: ModePolicy
    let time: ManualTime
    var follower: ChainFollower
    var worker: OutboxWorker
    /// How often what was followed was taken back.
    var rollbacks = 0
    /// What clients were told to be registered.
    var acknowledged: [Name: InfoHash] = [:]
    var pending: [Registration] = []
    var alarms: Set<String> = []
    private var randomness: Randomness

    init(_ chain: SimulatedChain, registrar: Address, policy: ModePolicy, time: ManualTime, seed: UInt64) {
        node = SimulatedNode(chain: chain, registrar: registrar)
        self.policy = policy
        self.time = time
        randomness = .seeded(seed)
        (follower, worker) = Self.processes(node, store, policy, time, seed)
    }

    private static func processes(
        _ node: SimulatedNode,
        _ store: MemoryStore,
        _ policy: ModePolicy,
        _ time: ManualTime,
        _ seed: UInt64
    ) -> (ChainFollower, OutboxWorker) {
        let configuration = ChainFollower.Configuration(firstBlock: 0, rule: .tag, mode: policy.mode)
        let follower = ChainFollower(configuration, store: store, chain: node)
        let worker = OutboxWorker(
            store: store,
            chain: node,
            blockTime: .seconds(5),
            time: time,
            randomness: .seeded(seed)
        )
        return (follower, worker)
    }

    /// What is in memory is gone.
    mutating func restart() {
        rollbacks += follower.rollbacks
        (follower, worker) = Self.processes(node, store, policy, time, randomness.next())
    }

    /// One turn, during which the process may die.
    mutating func turn(crashShare: Double) async {
        if Double.random(in: 0...1, using: &randomness) < crashShare {
            store.failNext(Bool.random(using: &randomness) ? .beforeCommit : .afterCommit)
        }
        do {
            _ = try await follower.turn(at: time.wallTime)
            try await worker.turn()
        } catch is MemoryStore.Crash {
            restart()
        } catch {
            // Silence of the node.
        }
        store.failNext(nil)
        if let alarm = follower.alarm { alarms.insert(alarm.label) }
        answerWaiting()
    }

    mutating func post(_ registration: Registration) async {
        let chained = policy.mode.usesChain
        guard
            let outcome = try? await store.register(registration, chained: chained, at: time.wallTime)
        else { return }
        switch outcome {
        case .inserted, .identical:
            if policy.mode.awaitsInclusion {
                pending.append(registration)
            } else {
                acknowledged[registration.name] = registration.account
            }
        case .nameTaken, .accountTaken:
            break
        }
        answerWaiting()
    }

    private mutating func answerWaiting() {
        let content = store.content
        var open: [Registration] = []
        for registration in pending {
            switch policy.outcome(of: registration, stored: content.rows[registration.name]) {
            case .included: acknowledged[registration.name] = registration.account
            case .conflict: break
            case .notYet, nil: open.append(registration)
            }
        }
        pending = open
    }
}

@Suite struct ChainSimulationTests {
    static func registration(_ number: UInt64, account: UInt64) throws -> Registration {
        let name = try #require(Name(canonical: "name-\(number)"))
        return Registration(
            name: name,
            account: InfoHash(hashing: Array("account \(account)".utf8)),
            owner: Address(InfoHash(hashing: Array("owner \(account)".utf8))),
            evidence: NameEvidence(publicKey: Array("key \(account)".utf8), signature: [UInt8(account & 255)])
        )
    }

    static func registrar(_ number: Int) -> Address { Address(InfoHash(hashing: [UInt8(number)])) }

    @Test(arguments: ServerMode.allCases.filter(\.usesChain), 0..<8 as Range<UInt64>)
    func `what was acknowledged survives reorganisations, losses and crashes, and is on the chain once`(
        mode: ServerMode,
        seed: UInt64
    ) async throws {
        var randomness = Randomness.seeded(seed &* 31 &+ UInt64(mode.rawValue.utf8.count))
        let time = ManualTime()
        let count = mode == .chain ? 2 : 1
        let chain = SimulatedChain(seed: seed, registrars: Set((0..<count).map(Self.registrar)))
        let policy = ModePolicy(mode: mode, depth: count > 1 ? .final : .included)
        var servers = (0..<count).map { index in
            SimulatedServer(
                chain,
                registrar: Self.registrar(index),
                policy: policy,
                time: time,
                seed: seed + UInt64(index)
            )
        }
        chain.state.withLock { state in
            state.lossShare = 0.2
            state.silenceShare = 0.02
        }
        for step in 0..<300 {
            time.advance()
            if step % 5 == 0 { chain.mine(at: time.wallTime) }
            let draw = Double.random(in: 0...1, using: &randomness)
            if draw < 0.02 { chain.reorganise(depth: Int.random(in: 1...8, using: &randomness), at: time.wallTime) }
            if draw > 0.7 {
                let account = UInt64.random(in: 0..<60, using: &randomness)
                let number = UInt64.random(in: 0..<60, using: &randomness)
                let registration = try Self.registration(number, account: account)
                await servers[Int.random(in: 0..<count, using: &randomness)].post(registration)
            }
            for index in servers.indices { await servers[index].turn(crashShare: 0.05) }
        }
        chain.state.withLock { state in
            state.lossShare = 0
            state.silenceShare = 0
        }
        for step in 0..<400 {
            time.advance()
            if step % 5 == 0 { chain.mine(at: time.wallTime) }
            for index in servers.indices { await servers[index].turn(crashShare: 0) }
        }
        let registry = chain.head.registry
        for server in servers {
            let content = server.store.content
            #expect(server.alarms.isEmpty)
            #expect(server.pending.isEmpty)
            #expect(server.acknowledged.count > 5)
            #expect(server.follower.rollbacks + server.rollbacks > 0)
            for (name, account) in server.acknowledged {
                #expect(content.rows[name]?.record.account == account)
                #expect(registry.records[name]?.account == account)
            }
            let open = content.entries.filter { $0.state != .final && $0.state != .failed }
            #expect(open.isEmpty)
            #expect(mode == .chain || content.entries.allSatisfy { $0.state == .final })
            #expect(content.operations.last?.head ?? .zero == registry.journal.head)
            #expect(content.rows.mapValues(\.record) == registry.records)
            #expect(Set(content.rows.values.map(\.state)).subtracting([.final]).isEmpty)
            #expect(content.conflictRows.allSatisfy { $0.resolution == "chain" })
            let final = try #require(server.follower.finalBlock)
            let reconciler = Reconciler(store: server.store, mode: mode, page: 7)
            let report = try await reconciler.run(block: final, onChain: registry.journal, at: time.wallTime)
            #expect(report.isEqual)
        }
    }

    @Test(arguments: ["dropped", "added", "changed"])
    func `a node that lies about the log is found out, and nothing of it is stored`(lie: String) async throws {
        let time = ManualTime()
        let chain = SimulatedChain(seed: 1, registrars: [Self.registrar(0)])
        let policy = ModePolicy(mode: .dual)
        var server = SimulatedServer(chain, registrar: Self.registrar(0), policy: policy, time: time, seed: 1)
        await server.post(try Self.registration(1, account: 1))
        for step in 0..<20 {
            time.advance()
            if step % 5 == 0 { chain.mine(at: time.wallTime) }
            await server.turn(crashShare: 0)
        }
        #expect(server.acknowledged.count == 1)
        let before = server.store.content.operations
        let stranger = try Self.registration(2, account: 9)
        chain.state.withLock { state in
            state.forge = { operations in
                switch lie {
                case "dropped": []
                case "added": operations + [Self.forged(stranger, after: 1)]
                default: operations.map { _ in Self.forged(stranger, after: 1) }
                }
            }
        }
        await server.post(try Self.registration(2, account: 2))
        for step in 0..<20 {
            time.advance()
            if step % 5 == 0 { chain.mine(at: time.wallTime) }
            await server.turn(crashShare: 0)
        }
        #expect(server.alarms.isSubset(of: ["journal_mismatch", "operation_out_of_order"]))
        #expect(!server.alarms.isEmpty)
        #expect(server.acknowledged.count == 1)
        #expect(server.store.content.operations == before)
        chain.state.withLock { $0.forge = nil }
        for step in 0..<20 {
            time.advance()
            if step % 5 == 0 { chain.mine(at: time.wallTime) }
            await server.turn(crashShare: 0)
        }
        #expect(server.follower.alarm == nil)
        #expect(server.acknowledged.count == 2)
    }

    private static func forged(_ registration: Registration, after sequence: UInt64) -> ObservedOperation {
        ObservedOperation(
            sequence: sequence + 1,
            kind: .register,
            name: registration.name,
            owner: registration.owner,
            account: registration.account,
            evidenceDigest: registration.evidenceDigest,
            evidence: registration.evidence,
            block: 1,
            blockHash: .zero,
            logIndex: 0
        )
    }
}
