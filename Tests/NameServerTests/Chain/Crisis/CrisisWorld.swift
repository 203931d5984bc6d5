import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import NameServer
import Runtime
import TestSupport
import Testing

/// Five signers, a registry, and one server that may be killed.
struct CrisisWorld: Sendable {
    let served: ServedRegistry

    static func make(_ mode: ServerMode, registrars: Int) async throws -> CrisisWorld {
        CrisisWorld(served: try await ServedRegistry.onClique(mode, registrars: registrars))
    }

    func server() async throws -> ServerProcess { try await served.server() }

    var folder: TemporaryFolder { served.folder }
    var network: EthereumTestNode { served.network }
    var registry: TestRegistry { served.registry }
    var mode: ServerMode { served.mode }
    var data: String { served.data }
    var nodeCount: Int { network.urls.count }

    // MARK: The network

    /// Two blocks of one height by one signer, each shown to half of the others.
    func equivocate(_ signer: Int) async throws -> [BlockHeader] {
        try await network.call("clique_pause", [true])
        // Who sealed one of the last blocks waits for its turn.
        let blocks = try await eventually(within: .seconds(30), every: .zero, "signer \(signer) may seal") {
            if let blocks = try? await network.call("clique_equivocate", [.integer(Int64(signer))]) { return blocks }
            try await network.call("clique_step")
            return nil
        }
        return try (blocks.array ?? []).map { text in
            let hex = try #require(text.string)
            return try BlockHeader(decoding: try #require(Hexadecimal.decode(hex.dropFirst(2))))
        }
    }

    func difficulty(of node: Int) async throws -> Int64 {
        let status = try await network.call("clique_status").array ?? []
        return try #require(status[node]["difficulty"]?.integer)
    }

    func head(of node: Int) async throws -> Int64 {
        let status = try await network.call("clique_status").array ?? []
        return try #require(status[node]["head"]?.integer)
    }

    /// The newest headers of a node, the oldest first.
    func headers(of node: Int, from first: UInt64, count: UInt64 = 12) async throws -> [BlockHeader] {
        let node = network.node([node])
        let newest = try await node.blockNumber()
        guard first <= newest else { return [] }
        return try await node.blocks(first...min(newest, first + count - 1)).compactMap { $0?.header }
    }

    /// Another registrar gives names to strangers, at a node on the other side of a partition.
    func registerElsewhere(_ names: [String], node index: Int) async throws {
        let key = try network.accountKeys()[2]
        let node = network.node([index])
        var nonce = try await node.transactionCount(of: key.account)
        for name in names {
            let stranger = CrisisNames.account("a stranger's \(name)")
            let registration = Registration(
                name: try #require(Name(canonical: name)),
                account: stranger,
                owner: Address(stranger),
                evidence: nil
            )
            let transaction = Transaction(
                chainID: network.chainID,
                nonce: nonce,
                fees: try await node.fees().fees,
                gasLimit: 400_000,
                to: registry.logic,
                data: LogicContract.register(registration)
            )
            try await node.send(try transaction.signed(by: key))
            nonce += 1
        }
    }

    /// What a node's newest state says of a name; throws where name and account do not belong to each other.
    func accountOnChain(of name: String, node index: Int) async throws -> InfoHash? {
        let node = network.node([index])
        let storage = StorageContract(registry.store)
        let name = try #require(Name(canonical: name))
        guard let account = try await node.ask(storage.address(RegistryLayout.account(of: name))).nonZero else {
            return nil
        }
        let reverse = try await node.ask(storage.word(RegistryLayout.name(of: account)))
        #expect(Name(reverse) == name, "C2: the chain of node \(index) gives \(name) an account of another name")
        return account
    }

    func journalOnChain() async throws -> Word {
        try await network.node().ask(StorageContract(registry.store).word(RegistryLayout.journal))
    }

    // MARK: Stores

    /// Runs a command that moves names, with its report.
    func migrate(_ arguments: [String], data: String) async throws -> JSONValue {
        let apus = try #require(Peers.apus)
        let result = try await run(
            [apus, "names", "migrate"] + arguments + ["--json", "--data", data] + served.chain,
            within: .seconds(120)
        ).orThrow()
        return try #require(JSONValue(parsing: result.lines.last ?? ""))
    }

    func store(in data: String) async throws -> SQLNameStore {
        try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: data + "/names.sqlite"))
    }

    /// The root of a new store that has nothing but the log of another one.
    func rootFromLog(of data: String, in name: String) async throws -> String {
        let target = try folder.folder(name)
        try FileManager.default.copyItem(
            atPath: data + "/registrations.log",
            toPath: target + "/registrations.log"
        )
        let store = try await store(in: target)
        let root = try await store.snapshotRoot().root.hex
        await store.close()
        return root
    }
}

extension Address {
    /// The account that an address stands for.
    fileprivate var nonZero: InfoHash? { isZero ? nil : hash }
}
