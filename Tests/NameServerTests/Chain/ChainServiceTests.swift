import Ethereum
import Foundation
import JSON
import Keys
import Logging
import NameRegistry
import NameServer
import Runtime
import TestSupport
import Testing

/// A server's chain side on a real store and a real node, without HTTP.
struct ChainSide: Sendable {
    let store: any NameStore
    let service: ChainService
    let running: Task<Void, Never>

    static func start(
        _ registry: TestRegistry,
        key: EthereumKey,
        mode: ServerMode,
        folder: String,
        rule: FinalityRule = .tag,
        blockTime: Duration = .seconds(1),
        node: EthereumNode? = nil
    ) async throws -> ChainSide {
        let store = try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: folder + "/names.sqlite"))
        let chain = try await NodeRegistryChain.open(
            node ?? registry.node,
            NodeRegistryChain.Configuration(council: registry.council, rule: rule),
            key: key
        )
        var configuration = ChainService.Configuration(
            mode: mode,
            council: registry.council,
            rule: rule,
            blockTime: blockTime
        )
        configuration.reconciliationInterval = .seconds(2)
        let service = ChainService(
            configuration,
            store: store,
            chain: chain,
            identity: ChainService.Identity(chainID: chain.chainID, store: chain.store),
            proofs: NodeProofSource(chain)
        )
        try await service.prepare()
        return ChainSide(store: store, service: service, running: Task { await service.run() })
    }

    func stop() async {
        running.cancel()
        await running.value
        await store.close()
    }

    /// Registers as a server of this mode does.
    func register(_ registration: Registration, within patience: Duration = .seconds(60)) async throws
        -> InclusionOutcome
    {
        let outcome = try await store.register(registration, chained: true, at: SystemTime().wallTime)
        service.outboxHasGrown()
        switch outcome {
        case .nameTaken(let stored), .accountTaken(let stored): return .conflict(stored.record)
        case .inserted, .identical: break
        }
        return await withTaskGroup(of: InclusionOutcome.self) { group in
            group.addTask { await service.waitUntilIncluded(registration) }
            group.addTask {
                try? await Task.sleep(for: patience)
                return .notYet(reason: "late")
            }
            let first = await group.next() ?? .notYet(reason: "nothing")
            group.cancelAll()
            return first
        }
    }
}

@Suite(.enabled(if: Peers.missingForEthereum == nil), .takingTurns, .serialized)
struct ChainServiceTests {
    static func registration(_ number: Int) throws -> Registration {
        Registration(
            name: try #require(Name(canonical: "alice-\(number)")),
            account: InfoHash(hashing: Array("account \(number)".utf8)),
            owner: Address(InfoHash(hashing: Array("owner \(number)".utf8))),
            evidence: NameEvidence(
                publicKey: Array(repeating: 7, count: 550),
                signature: Array(repeating: 9, count: 512)
            )
        )
    }

    @Test(.timeLimit(.minutes(2)))
    func `registrations reach a real contract in dual mode, survive a reorganisation, and are proved`() async throws {
        let folder = try TemporaryFolder()
        let network = try await EthereumTestNode.start(
            ["--interval", "0.2", "--no-automine"],
            errorLog: folder.path + "/node.log"
        )
        let keys = try network.accountKeys()
        let registry = try await TestRegistry.deploy(
            network.node(),
            chainID: network.chainID,
            founder: keys[0],
            registrars: [keys[1].account]
        )
        let side = try await ChainSide.start(registry, key: keys[1], mode: .dual, folder: folder.path)
        let first = try Self.registration(1)
        let outcome = try await side.register(first)
        guard case .included = outcome else {
            Issue.record("not included: \(outcome)")
            return
        }
        try await network.call("test_reorg", [1, 2, "drop"])
        for number in 2...6 {
            let outcome = try await side.register(try Self.registration(number))
            guard case .included = outcome else {
                Issue.record("not included: \(outcome)")
                continue
            }
        }
        try await eventually(within: .seconds(60), every: .milliseconds(100), "everything is final") {
            let counts = try await side.store.read { try $0.outboxCounts() }
            return counts[.final] == 6 && counts.count == 1 ? () : nil
        }
        let status = await side.service.status()
        #expect(status.stall == nil)
        #expect(status.sequence == 6)
        try await eventually(within: .seconds(60), every: .milliseconds(100), "store and chain are compared") {
            side.service.gauges().first { $0.name == "reconciled" }?.value == 1 ? () : nil
        }
        let proof = try #require(JSONValue(parsing: try await side.service.proof(of: first.name, at: nil)))
        #expect(proof["registered"] == true)
        #expect(proof["addr"]?.string == "0x" + first.account.hex)
        #expect(proof["proof"]?["slots"]?.array?.count == 3)
        await side.stop()
        await network.stop()
    }

    @Test(.timeLimit(.minutes(2)))
    func `of two servers that race for a name on one chain, exactly one acknowledges it`() async throws {
        let folder = try TemporaryFolder()
        let network = try await EthereumTestNode.start(
            ["--interval", "0.2", "--no-automine"],
            errorLog: folder.path + "/node.log"
        )
        let keys = try network.accountKeys()
        let registry = try await TestRegistry.deploy(
            network.node(),
            chainID: network.chainID,
            founder: keys[0],
            registrars: keys[1...2].map(\.account)
        )
        var sides: [ChainSide] = []
        for index in 1...2 {
            let own = try folder.folder("server-\(index)")
            sides.append(try await ChainSide.start(registry, key: keys[index], mode: .chain, folder: own))
        }
        let (left, right) = (sides[0], sides[1])
        for number in 1...3 {
            let name = try #require(Name(canonical: "race-\(number)"))
            let rivals = ["left", "right"].map { side in
                let account = InfoHash(hashing: Array("\(side) \(number)".utf8))
                return Registration(name: name, account: account, owner: Address(account), evidence: nil)
            }
            async let first = left.register(rivals[0])
            async let second = right.register(rivals[1])
            let outcomes = try await [first, second]
            let winners = outcomes.filter { if case .included = $0 { true } else { false } }
            let losers = outcomes.filter { if case .conflict = $0 { true } else { false } }
            #expect(winners.count == 1)
            #expect(losers.count == 1)
            let records = [try await left.store.find(name)?.record, try await right.store.find(name)?.record]
            #expect(records[0] == records[1])
            // Who lost may take another name at once.
            let loser = rivals[records[0]?.account == rivals[0].account ? 1 : 0]
            let other = Registration(
                name: try #require(Name(canonical: "other-\(number)")),
                account: loser.account,
                owner: loser.owner,
                evidence: nil
            )
            let side = loser.account == rivals[0].account ? left : right
            guard case .included = try await side.register(other) else {
                Issue.record("The loser could not take another name")
                continue
            }
        }
        for side in sides { await side.stop() }
        await network.stop()
    }

    @Test func `a second writer keeps a server in shadow mode from starting`() async throws {
        let folder = try TemporaryFolder()
        let network = try await EthereumTestNode.start(errorLog: folder.path + "/node.log")
        let keys = try network.accountKeys()
        let registry = try await TestRegistry.deploy(
            network.node(),
            chainID: network.chainID,
            founder: keys[0],
            registrars: keys[1...2].map(\.account)
        )
        await #expect(throws: ChainStartError.refused(.otherRegistrar(keys[2].account))) {
            try await ChainSide.start(registry, key: keys[1], mode: .shadow, folder: folder.path)
        }
        await network.stop()
    }
}
