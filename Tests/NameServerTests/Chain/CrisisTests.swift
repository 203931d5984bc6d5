import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import NameServer
import Runtime
import Synchronization
import TestSupport
import Testing

/// What the first name service of Jami died of: most signers of its chain failed while it went on acknowledging.
@Suite(.enabled(if: Peers.missingForEthereum == nil && Peers.apus != nil), .serialized)
struct CrisisTests {
    static let count = 40

    static func account(_ name: String) -> InfoHash { InfoHash(hashing: Array("account of \(name)".utf8)) }

    /// Registers names at once; those that were acknowledged.
    static func register(_ names: [String], at server: ServerProcess) async -> [String: UInt] {
        await withTaskGroup(of: (String, UInt).self) { group in
            for name in names { group.addTask { (name, await server.register(name, account(name))) } }
            var statuses: [String: UInt] = [:]
            for await (name, status) in group { statuses[name] = status }
            return statuses
        }
    }

    @Test(.timeLimit(.minutes(3)), arguments: ServerMode.allCases.filter(\.usesChain))
    func `nothing that was acknowledged is lost or given twice when the chain fails`(mode: ServerMode) async throws {
        let world = try await ServedRegistry.onClique(mode, registrars: mode == .chain ? 2 : 1)
        let network = world.network
        var server = try await world.server()
        let before = (0..<Self.count).map { "before-\($0)" }
        var acknowledged = Set(await Self.register(before, at: server).filter { $0.value == 200 }.keys)
        #expect(acknowledged.count == Self.count)

        // Three of five signers fail.
        let failed = ContinuousClock.now
        try await network.call("clique_sealing", [[2, 3, 4], false])
        let during = (0..<5).map { "during-\($0)" }
        let statuses = await Self.register(during, at: server)
        let waited = ContinuousClock.now - failed
        #expect(waited < .seconds(95))
        try await eventually(within: .seconds(60), every: .milliseconds(200), "the status shows that the chain stands")
        {
            await server.get("/v2/status").body["stalled"] == true ? () : nil
        }
        acknowledged.formUnion(statuses.filter { $0.value == 200 }.keys)
        if mode == .shadow {
            #expect(statuses.values.allSatisfy { $0 == 200 })
            let pending = await server.get("/v2/status").body["pending"]?.integer ?? 0
            #expect(pending >= 5)
        } else {
            // The last two blocks may have taken some.
            #expect(statuses.values.allSatisfy { $0 == 503 || $0 == 200 })
            let late = await server.register("late", Self.account("late"))
            #expect(late == 503)
        }

        // The server dies while registrations come, and the nodes forget what waits.
        let dying = server
        async let lost = Self.register((0..<5).map { "lost-\($0)" }, at: dying)
        try await Task.sleep(for: .milliseconds(300))
        await server.kill()
        acknowledged.formUnion(await lost.filter { $0.value == 200 }.keys)
        try await network.call("clique_dropPools")
        server = try await world.server()

        // The network parts, and one signer signs on both sides.
        try await network.call("clique_sealing", [[0, 1, 2, 3, 4], true])
        let doubles = try await network.call("clique_partition", [[[0, 1, 2], [3, 4, 2]]])
        #expect(doubles.array?.count == 1)
        let apart = (0..<5).map { "apart-\($0)" }
        let parted = server
        async let held = Self.register(apart, at: parted)
        if mode == .chain { try await Self.registerElsewhere(["apart-0", "other-0"], in: world) }
        try await Task.sleep(for: .seconds(3))
        let loser = try await Self.newestHeaders(world, node: 0)
        let winner = try await Self.newestHeaders(world, node: 3)
        try await network.call("clique_heal")
        acknowledged.formUnion(await held.filter { $0.value == 200 }.keys)

        // Everything restarts.
        await server.kill()
        server = try await world.server()
        let healed = server
        try await eventually(within: .seconds(90), every: .milliseconds(250), "the outbox is empty") {
            let status = await healed.get("/v2/status").body
            return status["pending"] == 0 && status["stalled"] == false ? () : nil
        }
        let retried = await Self.register(during + apart + ["late"], at: server)
        acknowledged.formUnion(retried.filter { $0.value == 200 }.keys)
        #expect(retried.allSatisfy { $0.value == 200 || $0.key == "apart-0" })

        // C1, C2: each is there once, here and on the chain.
        let node = network.node()
        let storage = StorageContract(world.registry.store)
        for name in acknowledged.sorted() {
            let account = Self.account(name)
            let found = await server.get("/name/\(name)")
            #expect(found.body["addr"]?.string == "0x" + account.hex)
            let reverse = await server.get("/addr/\(account.hex)")
            #expect(reverse.body["name"]?.string == name)
            let key = RegistryLayout.account(of: try #require(Name(canonical: name)))
            let onChain = try await node.ask(storage.address(key))
            #expect(onChain == Address(account))
        }
        // C5: the journal of the server is that of the contract.
        try await eventually(within: .seconds(30), every: .milliseconds(250), "the journals are equal") {
            let status = await healed.get("/v2/status").body
            let onChain = try await node.ask(storage.word(RegistryLayout.journal))
            return status["chainJournal"]?.string == onChain.hex ? () : nil
        }
        // C8: a client that follows the healed chain takes no proof of the side that lost.
        try await Self.expectRejection(of: loser, or: winner, in: world)
        await server.stop()
        await network.stop()
    }

    /// Another registrar writes to the other side of a partition.
    private static func registerElsewhere(_ names: [String], in world: ServedRegistry) async throws {
        let key = try world.network.accountKeys()[2]
        let node = world.network.node([3])
        var nonce = try await node.transactionCount(of: key.account)
        for name in names {
            let stranger = InfoHash(hashing: Array("stranger \(name)".utf8))
            let registration = Registration(
                name: try #require(Name(canonical: name)),
                account: stranger,
                owner: Address(stranger),
                evidence: nil
            )
            let transaction = Transaction(
                chainID: world.network.chainID,
                nonce: nonce,
                fees: try await node.fees().fees,
                gasLimit: 400_000,
                to: world.registry.logic,
                data: LogicContract.register(registration)
            )
            try await node.send(try transaction.signed(by: key))
            nonce += 1
        }
    }

    private static func newestHeaders(_ world: ServedRegistry, node index: Int) async throws -> [BlockHeader] {
        let node = world.network.node([index])
        let newest = try await node.blockNumber()
        return try await node.blocks((newest > 4 ? newest - 4 : 1)...newest).compactMap { $0?.header }
    }

    /// The side that is not on the healed chain has too few seals to be believed.
    private static func expectRejection(
        of first: [BlockHeader],
        or second: [BlockHeader],
        in world: ServedRegistry
    ) async throws {
        let node = world.network.node()
        let genesis = try #require(try await node.block(.number(0)))
        let trust = try CliqueTrust(checkpoint: genesis.header)
        for side in [first, second] {
            let header = try #require(side.first)
            let canonical = try await node.block(.number(header.number))
            guard canonical?.hash != header.hash else { continue }
            #expect(throws: CliqueError.self) {
                try trust.verify(
                    header,
                    laterEpochs: [],
                    descendants: Array(side.dropFirst()),
                    now: SystemTime().wallTime
                )
            }
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a new chain is made of the store, and new stores of the log and of the chain alone`() async throws {
        let world = try await ServedRegistry.onClique(.shadow)
        let apus = try #require(Peers.apus)
        let first = try await ServerProcess.start([], folder: world.data)
        let names = (0..<25).map { "name-\($0)" }
        let statuses = await Self.register(names, at: first)
        #expect(statuses.values.allSatisfy { $0 == 200 })
        await first.stop()

        try await world.registry.decide(.configure(.openImport(true)))
        let chain = Array(world.options.drop { $0 != "--rpc" }).filter { $0 != "--mode" && $0 != "shadow" }
        let arguments = ["--json", "--data", world.data] + chain
        let imported = try await run(
            [apus, "names", "migrate", "to-chain", "--batch", "10"] + arguments,
            within: .seconds(90)
        ).orThrow()
        let report = try #require(JSONValue(parsing: imported.lines.last ?? ""))
        #expect(report["imported"] == 25)
        #expect(report["equal"] == true)
        let root = try #require(report["root"]?.string)
        let again = try await run(
            [apus, "names", "migrate", "to-chain"] + arguments,
            within: .seconds(60)
        ).orThrow()
        #expect(JSONValue(parsing: again.lines.last ?? "")?["present"] == 25)

        let fromChain = try world.folder.folder("from-chain")
        let exported = try await run(
            [apus, "names", "migrate", "to-sql", "--json", "--data", fromChain] + chain,
            within: .seconds(60)
        ).orThrow()
        #expect(JSONValue(parsing: exported.lines.last ?? "")?["root"]?.string == root)

        for (source, target) in [(world.data, "from-log"), (fromChain, "from-chains-log")] {
            let folder = try world.folder.folder(target)
            try FileManager.default.copyItem(
                atPath: source + "/registrations.log",
                toPath: folder + "/registrations.log"
            )
            let configuration = SQLiteStoreConfiguration(path: folder + "/names.sqlite")
            let store = try await SQLNameStore.sqlite(configuration)
            let rebuilt = try await store.snapshotRoot()
            await store.close()
            #expect(rebuilt.root.hex == root)
        }
        await world.network.stop()
    }
}
