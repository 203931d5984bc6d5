import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import NameServer
import Names
import Runtime
import TestSupport
import Testing

/// Names on a chain of five signers behind a server of ours, and what a liar between it and a client has to show.
struct ProvedNames: SharedWorld {
    static let shared = TaskLocal<ProvedNames?>(wrappedValue: nil)

    static let liar = NameServerAddress("https://liar.example") ?? .nowhere
    static let honest = NameServerAddress("https://honest.example") ?? .nowhere

    /// What ana registered, what ben did, and what nobody did.
    let alice: Name
    let mallory: Name
    let nobody: Name
    /// Ben's signatures over names that are not his.
    let falseEvidence: [Name: NameEvidence]
    let served: ServedRegistry
    let server: ServerProcess
    let address: NameServerAddress
    /// What the server answered when the names were new, by path.
    let early: [String: NameServerReply]
    /// The same of a fork on which alice is ben's.
    let forged: [String: NameServerReply]

    static func path(_ name: Name) -> String { "/name/\(name)" }
    static func proofPath(_ name: Name) -> String { "/v2/name/\(name)/proof" }
    static func proofPath(_ account: InfoHash) -> String { "/v2/addr/\(account.hex)/proof" }

    static func start() async throws -> ProvedNames {
        async let forgery = forge()
        let (ana, ben) = (Person.ana, Person.ben)
        let served = try await ServedRegistry.onClique(.dual, interval: "0.15")
        let server = try await served.server()
        let address = try #require(NameServerAddress(server.url))
        let first = try ana.registration(of: "alice")
        let second = try ben.registration(of: "mallory")
        let directory = NameDirectory(NameDirectory.Configuration(servers: [address]))
        try await eventually(within: .seconds(90), "both names are registered") {
            async let one = directory.register(first)
            async let other = directory.register(second)
            let outcomes = await [one, other]
            // A machine with much to do may take its chain for one that stands still.
            return outcomes.allSatisfy { [.registered, .alreadyYours].contains($0) } ? () : nil
        }
        let proofs = [proofPath(first.name), proofPath(second.name), proofPath(ana.account), proofPath(ben.account)]
        var early = try await eventually(within: .seconds(60), "both names are proved") {
            var replies: [String: NameServerReply] = [:]
            for path in proofs {
                let reply = try await ask(address, path)
                guard reply.json["registered"] == true else { return [String: NameServerReply]?.none }
                replies[path] = reply
            }
            return replies
        }
        early[path(second.name)] = try await ask(address, path(second.name))
        let nobody = try #require(Name(canonical: "nobody"))
        var falseEvidence: [Name: NameEvidence] = [:]
        for name in [first.name, nobody] { falseEvidence[name] = try NameEvidence.sign(name, with: ben.key) }
        return ProvedNames(
            alice: first.name,
            mallory: second.name,
            nobody: nobody,
            falseEvidence: falseEvidence,
            served: served,
            server: server,
            address: address,
            early: early,
            forged: try await forgery
        )
    }

    func stop() async {
        await server.stop()
        await served.network.stop()
    }

    /// A chain with the same number, contracts and addresses, which only has other signers, and on which alice is ben's.
    private static func forge() async throws -> [String: NameServerReply] {
        let folder = try TemporaryFolder(named: "forged")
        let network = try await EthereumTestNode.startClique(
            ["--interval", "0.15", "--signer-phrase", "forger"],
            errorLog: folder.path + "/network.log"
        )
        let keys = try network.accountKeys()
        let registry = try await TestRegistry.deploy(
            network.node(),
            chainID: network.chainID,
            founder: keys[0],
            registrars: [keys[1].account]
        )
        let registration = try Person.ben.registration(of: "alice")
        let registrar = TestRegistry.Sender(node: registry.node, chainID: network.chainID, key: keys[1])
        let block = try await registrar.send(LogicContract.register(registration), to: registry.logic).blockNumber
        try await eventually(within: .seconds(60), "the block is final") {
            try await registry.node.blockNumber() >= block + 5 ? () : nil
        }
        let chain = try await NodeRegistryChain.open(
            registry.node,
            NodeRegistryChain.Configuration(council: registry.council, rule: .clique(signers: 5)),
            key: keys[1]
        )
        let stored = StoredName(
            record: NameRecord(registration),
            evidence: registration.evidence,
            state: .final,
            block: block,
            created: SystemTime().wallTime
        )
        let text = try await NodeProofSource(chain).proof(of: registration.name, at: block, stored: stored)
        let proof = try #require(JSONValue(parsing: text))
        await network.stop()
        return [
            proofPath(registration.name): NameServerReply(proof),
            path(registration.name): NameServerReply(record(registration.name, Person.ben, registration.evidence)),
        ]
    }

    /// A record as a server answers it.
    static func record(_ name: Name, _ person: Person, _ evidence: NameEvidence?) -> JSONValue {
        var members: [String: JSONValue] = ["name": .string(name.text), "addr": .string(person.address)]
        members["publickey"] = (evidence?.publicKeyText).map { .string($0) }
        members["signature"] = (evidence?.signatureText).map { .string($0) }
        return .object(members)
    }

    static func ask(_ server: NameServerAddress, _ path: String) async throws -> NameServerReply {
        try await HTTPNameServerTransport().send(.get(path, limit: .seconds(20)), to: server)
    }

    // MARK: The client

    /// What a person writes down: the chain, the contract, and the genesis that lists the signers.
    func trustSettings(maximumAge: Int64? = nil) -> JSONValue {
        var settings: [String: JSONValue] = [
            "chainId": .integer(Int64(served.network.chainID)), "store": .string(served.registry.store.hex),
            "trust": ["kind": "clique", "checkpoint": served.network.report["genesis"] ?? .null],
        ]
        settings["maximumAge"] = maximumAge.map { .integer($0) }
        return .object(settings)
    }

    /// A client of the server at several addresses, one of which may lie.
    func directory(
        at servers: [NameServerAddress] = [honest],
        folder: String? = nil,
        maximumAge: Int64? = nil,
        time: any TimeSource = SystemTime(),
        lie: @escaping LyingTransport.Lie = { _, reply in reply }
    ) throws -> NameDirectory {
        NameDirectory(
            NameDirectory.Configuration(
                servers: servers,
                cacheFolder: folder,
                trust: try NameTrust(json: trustSettings(maximumAge: maximumAge).line)
            ),
            transport: LyingTransport(server: address, lie: lie),
            time: time
        )
    }
}

/// Passes questions on to a real server, and changes what it answers to those who ask the liar.
struct LyingTransport: NameServerTransport {
    typealias Lie = @Sendable (_ path: String, _ reply: NameServerReply) -> NameServerReply

    let server: NameServerAddress
    let lie: Lie

    func send(
        _ request: NameServerRequest,
        to address: NameServerAddress
    ) async throws(NameServerFault) -> NameServerReply {
        let reply = try await HTTPNameServerTransport().send(request, to: server)
        return address == ProvedNames.liar ? lie(request.path, reply) : reply
    }
}

/// A clock at which it is always the same time.
struct StoppedClock: TimeSource {
    let wallTime: WallTime
    var now: Instant { Instant(nanoseconds: 0) }
}

extension NameServerReply {
    init(_ body: JSONValue) {
        self.init(status: 200, body: Array(body.line.utf8))
    }

    static let notFound = NameServerReply(status: 404, body: Array(#"{"error":"name not registered"}"#.utf8))

    var json: JSONValue { JSONValue(parsing: String(decoding: body, as: UTF8.self)) ?? .null }

    /// The block of an answer with proof.
    var header: BlockHeader {
        get throws {
            let bytes = try #require(HexText.bytes(json["proof"]?["header"]?.string ?? ""))
            return try BlockHeader(decoding: bytes)
        }
    }
}
