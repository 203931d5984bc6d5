import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import NameServer
import TestSupport
import Testing

/// A server in mode `dual` as a process that dies at each step of a registration, with a real contract behind it.
@Suite(
    .timeLimit(.minutes(4)),
    .takingTurns,
    .enabled(
        if: Peers.missingForEthereum == nil && Peers.nameStorePeer != nil,
        "the tools of the contracts are missing"
    )
)
struct DualCrashTests {
    struct Death: Sendable {
        /// A step of a store, or one beside a transaction that is sent.
        let step: String
        /// The how-manieth after the first registration of that life.
        let count: Int
    }

    enum Steps: String, Sendable, CaseIterable, CustomTestStringConvertible {
        case writing
        case sending
        case beforeCommits
        case afterCommits

        var testDescription: String { rawValue }

        /// A registration is stored, sent, included and final by about eight commits.
        var deaths: [Death] {
            switch self {
            case .writing:
                [StoreStep.beforeLogWrite, .afterLogWrite, .afterLogSync].map { Death(step: $0.rawValue, count: 1) }
            case .sending:
                (1...3).flatMap { count in
                    [Death(step: "beforeSubmit", count: count), Death(step: "afterSubmit", count: count)]
                }
            case .beforeCommits: (1...8).map { Death(step: StoreStep.beforeCommit.rawValue, count: $0) }
            case .afterCommits: (1...8).map { Death(step: StoreStep.afterCommit.rawValue, count: $0) }
            }
        }
    }

    @Test(arguments: Steps.allCases)
    func `what was acknowledged before a kill is there, here and on the chain, and once`(_ steps: Steps) async throws {
        var world = try await World()
        for (life, death) in steps.deaths.enumerated() {
            try await world.live(life, until: death)
            try await world.expectAcknowledged()
        }
        try await world.liveOn()
        await world.network.stop()
    }

    /// A node, a registry, and the store of a server that dies and is started again.
    private struct World {
        let folder: TemporaryFolder
        let network: EthereumTestNode
        let registry: TestRegistry
        let secret: String
        var asked: Set<String> = []
        var acknowledged: Set<String> = []

        init() async throws {
            folder = try TemporaryFolder(named: "dual")
            network = try await EthereumTestNode.start(
                ["--finality-depth", "1"],
                errorLog: folder.path + "/node.log"
            )
            let keys = try network.accountKeys()
            registry = try await TestRegistry.deploy(
                network.node(),
                chainID: network.chainID,
                founder: keys[0],
                registrars: [keys[1].account]
            )
            secret = try #require(Word(keys[1].secret)).hex
        }

        private func start(_ death: Death?) async throws -> (ChildProcess, Mailbox<String>) {
            let program = try #require(Peers.nameStorePeer)
            let lines = Mailbox<String>()
            let peer = try ChildProcess(
                [
                    program, "dual", folder.path, network.urls[0], registry.council.hex, secret, death?.step ?? "-",
                    "\(death?.count ?? 0)",
                ],
                hasInput: true,
                output: .lines { lines.post($0) },
                error: .file(folder.path + "/server.log")
            )
            guard await lines.first(within: .seconds(60), where: { $0 == "ready" }) != nil else {
                let log = try? String(contentsOfFile: folder.path + "/server.log", encoding: .utf8)
                throw PeerError("The server does not start after \(asked.count) registrations: \(log ?? "")")
            }
            return (peer, lines)
        }

        /// A life that ends at a step: asks again for what is open, and then for new names.
        mutating func live(_ life: Int, until death: Death) async throws {
            let (peer, lines) = try await start(death)
            for name in asked.subtracting(acknowledged).sorted() { peer.send(name) }
            var exit: ChildProcess.Exit?
            for number in 0..<20 where exit == nil {
                asked.insert("life-\(life)-\(number)")
                peer.send("life-\(life)-\(number)")
                exit = await peer.waitForExit(within: .milliseconds(300))
            }
            if exit == nil { exit = await peer.waitForExit(within: .seconds(120)) }
            #expect(exit == .signal(SIGKILL), "\(death)")
            await peer.waitForOutputEnd(within: .seconds(30))
            acknowledged.formUnion(lines.all.filter { $0 != "ready" })
        }

        private func open() async throws -> SQLNameStore {
            try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: folder.path + "/names.sqlite"))
        }

        func expectAcknowledged() async throws {
            let store = try await open()
            let node = network.node()
            let contract = StorageContract(registry.store)
            for text in acknowledged {
                let name = try #require(Name(canonical: text))
                let found = try await store.find(name)
                #expect(found?.record.account == InfoHash(hashing: text))
                let onChain = try await node.ask(contract.address(RegistryLayout.account(of: name)))
                #expect(onChain == Address(InfoHash(hashing: text)))
            }
            await store.close()
        }

        /// The last life, which nobody ends: all that was ever asked for comes to the chain, once.
        mutating func liveOn() async throws {
            let (peer, lines) = try await start(nil)
            for name in asked.sorted() { peer.send(name) }
            let wanted = asked
            try await eventually(within: .seconds(120), every: .milliseconds(50), "all names are acknowledged") {
                wanted.isSubset(of: lines.all) ? () : nil
            }
            acknowledged = asked
            try await network.call("test_mine", [2])
            let store = try await open()
            try await eventually(within: .seconds(120), every: .milliseconds(50), "the outbox is empty") {
                let counts = try await store.read { try $0.outboxCounts() }
                return counts == [.final: wanted.count] ? () : nil
            }
            peer.closeInput()
            #expect(await peer.waitForExit(within: .seconds(30)) == .code(0))
            try await expectAcknowledged()
            let operations = try await store.read { try $0.chainOperations(from: 1, limit: 10_000) }
            #expect(operations.map(\.operation.name.text).sorted() == asked.sorted())
            let count = try await network.node().ask(StorageContract(registry.store).integer(RegistryLayout.sequence))
            #expect(count == UInt64(asked.count))
            let root = try await store.snapshotRoot().root
            await store.close()
            // The log alone has it all.
            let copy = try self.folder.folder("copy")
            try FileManager.default.copyItem(
                atPath: folder.path + "/registrations.log",
                toPath: copy + "/registrations.log"
            )
            let rebuilt = try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: copy + "/names.sqlite"))
            #expect(try await rebuilt.snapshotRoot().root == root)
            await rebuilt.close()
        }
    }
}
