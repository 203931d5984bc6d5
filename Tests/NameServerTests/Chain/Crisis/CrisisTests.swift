import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import NameServer
import Names
import Runtime
import Synchronization
import TestSupport
import Testing

/// What the first name service of Jami died of: most signers of its chain failed while it went on acknowledging.
///
/// The assertions C1 to C8 are named where they are made.
@Suite(
    .enabled(if: Peers.missingForEthereum == nil && Peers.apus != nil, "the tools of the contracts are missing"),
    .takingTurns,
    .serialized
)
struct CrisisTests {
    static let count = 200

    @Test(.timeLimit(.minutes(6)), arguments: ServerMode.allCases.filter(\.usesChain))
    func `nothing that was acknowledged is lost or given twice when the chain fails`(mode: ServerMode) async throws {
        // In mode “chain” another server writes, too.
        var crisis = try await Crisis(try await CrisisWorld.make(mode, registrars: mode == .chain ? 2 : 1))
        let watching = crisis.watch()
        do {
            try await crisis.registerInCalm(Self.count)
            try await crisis.stopSigners()
            try await crisis.killServerAndNodes()
            try await crisis.part()
            try await crisis.heal()
            try await crisis.restartEverything()
            watching.cancel()
            await watching.value
            try await crisis.examine()
        } catch {
            watching.cancel()
            await watching.value
            Issue.record("\(crisis.phase): \(error); the server said: \(ServerProcess.log(crisis.world.data))")
        }
        await crisis.end()
    }

    @Test(.timeLimit(.minutes(4)))
    func `C7: a new chain is made of the store, and new stores of the log and of the chain alone`() async throws {
        let world = try await CrisisWorld.make(.shadow, registrars: 1)
        // Mode “sql”: killed in the middle, and asked again.
        var server = try await ServerProcess.start([], folder: world.data)
        let names = CrisisNames()
        let all = (0..<Self.count).map { "name-\($0)" }
        let dying = server
        async let first: Void = names.post(all, at: dying)
        try await eventually(within: .seconds(30), every: .milliseconds(5), "some names are stored") {
            names.acknowledged.count > 20 ? () : nil
        }
        await server.kill()
        await first
        server = try await ServerProcess.start([], folder: world.data)
        for name in names.acknowledged {
            #expect(await names.find(name, at: server) == "0x" + CrisisNames.account(name).hex, "C1: \(name)")
        }
        await names.register(all, at: server, within: .seconds(60))
        #expect(names.acknowledged.count == all.count)
        await server.stop()

        try await world.registry.decide(.configure(.openImport(true)))
        let report = try await world.migrate(["to-chain", "--batch", "100"], data: world.data)
        #expect(report["imported"]?.integer == Int64(Self.count))
        #expect(report["equal"] == true)
        let root = try #require(report["root"]?.string)
        let again = try await world.migrate(["to-chain"], data: world.data)
        #expect(again["present"]?.integer == Int64(Self.count))

        let fromChain = try world.folder.folder("from-chain")
        let exported = try await world.migrate(["to-sql"], data: fromChain)
        #expect(exported["root"]?.string == root)
        #expect(try await world.rootFromLog(of: world.data, in: "from-log") == root)
        #expect(try await world.rootFromLog(of: fromChain, in: "from-chains-log") == root)
        await world.network.stop()
    }
}

/// The script of the crisis, a step a function.
struct Crisis {
    let world: CrisisWorld
    let names = CrisisNames()
    private(set) var phase = "at the start"
    private var server: ServerProcess
    private let current: Current
    /// Answers with proofs of the side of the partition that lost.
    private var stale: [String: String] = [:]
    private var losers: [BlockHeader] = []

    /// The server that look-ups go to; `nil` while there is none.
    private final class Current: Sendable {
        let server: Mutex<ServerProcess?>

        init(_ server: ServerProcess) {
            self.server = Mutex(server)
        }
    }

    private let calm: [String]
    private let during = (0..<10).map { "during-\($0)" }
    private let dying = (0..<10).map { "dying-\($0)" }
    private let apart = (0..<10).map { "apart-\($0)" }
    /// A name that somebody else gets on the other side, in mode “chain”.
    private let contested: String?

    init(_ world: CrisisWorld) async throws {
        self.world = world
        server = try await world.server()
        current = Current(server)
        calm = (0..<CrisisTests.count).map { "calm-\($0)" }
        contested = world.mode == .chain ? "apart-0" : nil
    }

    /// Looks names up all the time, for C2.
    func watch() -> Task<Void, Never> {
        let (names, current) = (names, current)
        return Task { await names.watch { current.server.withLock { $0 } } }
    }

    private func status() async -> JSONValue { await server.get("/v2/status").body }

    private mutating func killServer() async {
        current.server.withLock { $0 = nil }
        await server.kill()
    }

    private mutating func startServer() async throws {
        server = try await world.server()
        let started = server
        current.server.withLock { $0 = started }
    }

    // MARK: The script

    mutating func registerInCalm(_ count: Int) async throws {
        phase = "in calm"
        let signed = try Person.ana.body(for: "signed")
        try await eventually(within: .seconds(60), "a signed name is acknowledged") {
            await server.post("/name/signed", text: signed).status == 200 ? () : nil
        }
        await names.register(calm, at: server, within: .seconds(120))
        #expect(names.acknowledged.count == count)
    }

    /// Three of five fail while registrations go on.
    mutating func stopSigners() async throws {
        phase = "while the chain stands still"
        let failed = ContinuousClock.now
        try await world.network.call("clique_stop", [[2, 3, 4]])
        await names.post(during, at: server)
        let isHeld = world.mode.awaitsInclusion
        // The last blocks may have taken some.
        let statuses = names.statuses(of: during)
        #expect(isHeld ? statuses.isSubset(of: [200, 503]) : statuses == [200], "C3: \(statuses)")
        #expect(ContinuousClock.now - failed < .seconds(95), "C3")
        try await eventually(within: .seconds(70), every: .milliseconds(200), "C4: the status shows it") {
            await status()["stalled"] == true ? () : nil
        }
        let last = try #require(try await world.network.node().block(.latest)?.header.timestamp)
        #expect(SystemTime().wallTime.seconds - Int64(last) <= 60, "C4")
        if isHeld {
            let late = await names.post("late", at: server)
            #expect(late == 503, "C3")
        } else {
            let pending = try #require(await status()["pending"]?.integer)
            #expect(pending >= during.count, "C3: the outbox grows")
            let more = await names.post("late", at: server)
            #expect(more == 200, "C3")
            try await eventually(within: .seconds(20), every: .milliseconds(100), "C3: the outbox grows") {
                await status()["pending"]?.integer ?? 0 > pending ? () : nil
            }
        }
        // Look-ups go on.
        #expect(await names.find("calm-0", at: server) == "0x" + CrisisNames.account("calm-0").hex)
    }

    /// The server dies while registrations come; its nodes lose their pools and their blocks.
    mutating func killServerAndNodes() async throws {
        phase = "after the server was killed"
        let before = try await world.head(of: 0)
        await withTaskGroup(of: Void.self) { [names, server, dying] group in
            for name in dying { group.addTask { _ = await names.post(name, at: server) } }
            await group.next()
            await server.kill()
        }
        await killServer()
        try await world.network.call("clique_dropPools")
        try await world.network.call("clique_wipe", [[0, 1]])
        try await world.network.call("clique_start", [[2, 3, 4]])
        try await eventually(within: .seconds(30), every: .milliseconds(50), "the wiped nodes have their blocks again")
        {
            try await world.head(of: 0) > before ? () : nil
        }
        try await startServer()
        try await drain()
    }

    private func drain() async throws {
        try await eventually(within: .seconds(120), every: .milliseconds(200), "C5: the outbox is empty") {
            let status = await status()
            return status["pending"] == 0 && status["stalled"] == false ? () : nil
        }
    }

    private var posting: Task<Void, Never>?

    /// The network parts 3|2, and signer 2 works on both sides.
    mutating func part() async throws {
        phase = "while the network is parted"
        let twins = try await world.equivocate(2)
        try #require(twins.count == 2)
        #expect(try twins[0].cliqueSigner() == twins[1].cliqueSigner())
        #expect(twins[0].number == twins[1].number && twins[0].hash != twins[1].hash)
        losers = twins
        let doubles = try await world.network.call("clique_partition", [[[0, 1, 2], [3, 4, 2]]])
        #expect(doubles.array?.count == 1)
        try await world.network.call("clique_pause", [false])
        let (names, server, apart) = (names, server, apart)
        posting = Task { await names.register(apart, at: server, within: .seconds(120)) }
        if world.mode == .chain { try await world.registerElsewhere(["apart-0", "other-0"], node: 3) }
        try await eventually(within: .seconds(60), every: .milliseconds(100), "the names are on this side") {
            await areSettled(apart, in: ["included"]) ? () : nil
        }
        for name in apart {
            let here = try await world.accountOnChain(of: name, node: 0)
            let there = try await world.accountOnChain(of: name, node: 3)
            #expect(here == CrisisNames.account(name))
            #expect(there == nil || name == contested)
        }
        try await keepStaleProof()
    }

    /// Whether names are so far on their way.
    private func areSettled(_ names: [String], in states: Set<String>) async -> Bool {
        for name in names {
            guard let state = await server.get("/v2/name/\(name)").body["state"]?.string, states.contains(state) else {
                return false
            }
        }
        return true
    }

    /// What a node of the side that loses proves, to be shown again later; our server proves nothing that is not final.
    private mutating func keepStaleProof() async throws {
        let name = try #require(Name(canonical: "apart-1"))
        let number = try #require(await server.get("/v2/name/\(name)").body["block"]?.integer)
        let refused = await server.get("/v2/name/\(name)/proof?block=\(number)")
        #expect(refused.status == 404)
        let block = UInt64(clamping: number)
        let registry = try await NodeRegistryChain.open(
            world.network.node(),
            NodeRegistryChain.Configuration(council: world.registry.council, rule: .clique(signers: world.nodeCount)),
            key: world.registry.founder
        )
        let proof = try await NodeProofSource(registry).proof(of: name, at: block, stored: nil)
        stale = [
            "/name/\(name)": await server.get("/name/\(name)").body.line, "/v2/name/\(name)/proof": proof,
        ]
        losers += try await world.headers(of: 0, from: block, count: 1)
    }

    /// The other side wins.
    mutating func heal() async throws {
        phase = "while the network heals"
        try await world.network.call("clique_sealing", [[0], false])
        try await eventually(within: .seconds(60), every: .milliseconds(100), "the other side has more blocks") {
            try await world.difficulty(of: 3) > world.difficulty(of: 0) + 4 ? () : nil
        }
        try await world.network.call("clique_pause", [true])
        try await world.network.call("clique_heal")
        try await eventually(within: .seconds(30), every: .milliseconds(50), "C6: replaced inclusions are sent again") {
            await areSettled(apart, in: ["sent"]) ? () : nil
        }
        try await world.network.call("clique_sealing", [[0, 1, 2, 3, 4], true])
        try await world.network.call("clique_pause", [false])
        await posting?.value
        for name in apart where name != contested {
            #expect(names.acknowledged.contains(name), "C6: \(name) is included again")
        }
        if let contested {
            #expect(names.statuses(of: [contested]).isSubset(of: [403, 503]), "C6: it was never acknowledged")
        }
    }

    mutating func restartEverything() async throws {
        phase = "after everything was restarted"
        await killServer()
        try await world.network.call("clique_stop")
        try await world.network.call("clique_start")
        try await startServer()
        try await drain()
        await names.register(names.open.filter { $0 != contested }, at: server, within: .seconds(60))
        #expect(names.open == [contested].compactMap(\.self))
        let late = during + dying + apart + ["late"]
        try await eventually(within: .seconds(120), every: .milliseconds(200), "C5: all names are on the chain") {
            await areSettled(late.filter { $0 != contested }, in: ["included", "final"]) ? () : nil
        }
        try await drain()
    }

    // MARK: The assertions

    func examine() async throws {
        try await expectAcknowledged()
        try await expectProofs()
        try await eventually(within: .seconds(30), every: .milliseconds(200), "C5: the journals are equal") {
            let stored = await status()["chainJournal"]?.string
            return try await world.journalOnChain().hex == stored ? () : nil
        }
        await server.stop()
        let root = try await expectStore()
        let target = try world.folder.folder("from-chain")
        let exported = try await world.migrate(["to-sql"], data: target)
        #expect(exported["root"]?.string == root, "C7: the chain alone")
        guard world.mode != .chain else { return }
        // The log has the registrations of one server, which are all of them here.
        #expect(try await world.rootFromLog(of: world.data, in: "from-log") == root, "C7: the log alone")
    }

    private func expectAcknowledged() async throws {
        #expect(names.acknowledged.count >= CrisisTests.count + during.count + dying.count + apart.count)
        for name in names.acknowledged {
            let account = CrisisNames.account(name)
            let found = await names.find(name, at: server)
            #expect(found == "0x" + account.hex, "C1: \(name)")
            let reverse = await server.get("/addr/\(account.hex)")
            #expect(reverse.body["name"]?.string == name, "C1: \(name)")
        }
        #expect(names.ambiguous == [], "C2")
        for node in 0..<world.nodeCount {
            for name in during + dying + apart + ["calm-0", "late"] where name != contested {
                let account = try await world.accountOnChain(of: name, node: node)
                #expect(account == CrisisNames.account(name), "C1: \(name) on node \(node)")
            }
            guard let contested else { continue }
            let account = try await world.accountOnChain(of: contested, node: node)
            #expect(account == CrisisNames.account("a stranger's \(contested)"), "C6")
        }
        if let contested {
            let shown = await names.find(contested, at: server)
            #expect(shown == "0x" + CrisisNames.account("a stranger's \(contested)").hex, "C6")
        }
    }

    /// C8, with a client that has seen the healed chain, and with one that has seen nothing.
    private func expectProofs() async throws {
        let node = world.network.node()
        let genesis = try #require(try await node.block(.number(0))?.header)
        let clique = try CliqueTrust(checkpoint: genesis)
        let trust = NameTrust(
            chain: world.network.chainID,
            store: world.registry.store,
            rule: .clique(clique),
            freshness: .proofOfAuthority
        )
        let live = try #require(NameServerAddress(server.url))
        let following = NameDirectory(NameDirectory.Configuration(servers: [live], trust: trust))
        let signed = try #require(Name(canonical: "signed"))
        try await eventually(within: .seconds(30), every: .milliseconds(200), "C8: the healed chain proves a name") {
            let lookup = try await following.verify(signed)
            return lookup.assurance == .proved && lookup.account == Person.ana.account ? () : nil
        }
        let stale = stale
        let liar = try await ScriptedHTTPServer.start { request in
            stale[request.path].map { .json($0) } ?? .json("{}", status: 404)
        }
        let name = try #require(Name(canonical: "apart-1"))
        let address = try #require(NameServerAddress(liar.url))
        let fresh = NameDirectory(NameDirectory.Configuration(servers: [address], trust: trust))
        for (client, what) in [(following, "following"), (fresh, "new")] {
            let error = await #expect(throws: NameDirectoryError.self, "C8: a client that is \(what)") {
                _ = try await client.verify(name, at: address)
            }
            let isCaught = error?.lies.contains { problem in
                switch problem.fault.lie {
                case .untrustedBlock, .rolledBack: true
                default: false
                }
            }
            #expect(isCaught == true, "C8: \(String(describing: error))")
        }
        await liar.stop()
        // The blocks of the healed chain do not make its rivals final.
        for loser in losers {
            let rival = try await node.block(.number(loser.number))
            guard rival?.hash != loser.hash else { continue }
            let descendants = try await world.headers(of: 0, from: loser.number + 1)
            #expect(throws: CliqueError.self, "C8: block \(loser.number)") {
                try clique.verify(loser, laterEpochs: [], descendants: descendants, now: SystemTime().wallTime)
            }
        }
    }

    /// C2 and C5 in the store itself; its snapshot's root.
    private func expectStore() async throws -> String {
        let store = try await world.store(in: world.data)
        let records = try await store.read { try $0.nameRecords(after: nil, limit: 10_000) }
        #expect(Set(records.compactMap(\.account)).count == records.count, "C2")
        let operations = try await store.read { try $0.chainOperations(from: 1, limit: 10_000) }
        #expect(Set(operations.map(\.operation.name)).count == operations.count, "C5: no name is there twice")
        #expect(Set(operations.map(\.operation.name)) == Set(records.map(\.name)), "C5")
        let entries = try await store.read { try $0.outbox(in: OutboxEntry.State.allCases, limit: 10_000) }
        #expect(entries.count { $0.state == .failed } == (contested == nil ? 0 : 1), "C6")
        #expect(entries.allSatisfy { $0.state == .final || $0.state == .failed }, "C5")
        let conflicts = try await store.read { try $0.conflicts(unresolvedOnly: false, limit: 100) }
        #expect(conflicts.map(\.name.text) == [contested].compactMap(\.self), "C6")
        let root = try await store.snapshotRoot().root.hex
        await store.close()
        return root
    }

    func end() async {
        await server.stop()
        await world.network.stop()
    }
}
