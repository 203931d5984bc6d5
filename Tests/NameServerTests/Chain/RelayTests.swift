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

/// A server of a registry on one node, whose clock goes forward when a test wants it to.
struct RelayWorld: SharedWorld {
    static let shared = TaskLocal<RelayWorld?>(wrappedValue: nil)

    let served: ServedRegistry
    let server: ServerProcess
    let node: EthereumNode

    var logic: Address { served.registry.logic }

    static func start() async throws -> RelayWorld {
        let served = try await ServedRegistry.onOneNode(.dual)
        let server = try await served.server()
        return RelayWorld(served: served, server: server, node: served.network.node())
    }

    func stop() async {
        await server.stop()
        await served.network.stop()
    }

    // MARK: People

    /// Somebody with an account and a key for what owners sign.
    struct Owner: Sendable {
        let person: Person
        let key: EthereumKey

        var account: InfoHash { person.account }

        init(_ seed: UInt8) throws {
            key = try EthereumKey(secret: Array(repeating: seed, count: 32))
            person = Person(key: try RSAPrivateKey.generate(bits: 2_048), owner: key.account)
        }
    }

    /// Registers a name as old clients do.
    func register(_ owner: Owner, _ name: String) async throws -> Name {
        let body = try #require(JSONValue(parsing: try owner.person.body(for: name)))
        try await eventually(within: .seconds(90), "\(name) is registered") {
            await server.post("/name/\(name)", body).status == 200 ? () : nil
        }
        return try #require(Name(canonical: name))
    }

    // MARK: Requests

    static func record(_ evidence: NameEvidence?, of account: InfoHash) -> [String: JSONValue] {
        [
            "addr": .string(account.hex), "publicKey": .string(Base64.encode(evidence?.publicKey ?? [])),
            "signature": .string(evidence?.signatureText ?? ""),
        ]
    }

    /// What an owner's wallet adds to a request: by default it may be used for ten minutes.
    func signed(
        _ request: OwnerRequest,
        of name: Name,
        by key: EthereumKey,
        for seconds: Int64 = 600
    ) async throws -> [String: JSONValue] {
        let deadline = try await now() + seconds
        let digest = request.digest(
            chain: served.network.chainID,
            logic: logic,
            nonce: try await node.ask(LogicContract(logic).nonce(of: name)),
            deadline: UInt64(deadline)
        )
        return [
            "deadline": .integer(deadline), "ownerSignature": .string(HexText.data(try key.sign(digest).bytes)),
        ]
    }

    /// The time of the chain.
    func now() async throws -> Int64 {
        Int64(try #require(try await node.block(.latest)).header.timestamp)
    }

    /// Asks for something on the chain, and waits until it is in a block.
    func expectSuccess(_ path: String, _ body: [String: JSONValue]) async throws {
        let answer = await server.post(path, .object(body))
        #expect(answer.status == 202, "\(answer)")
        let hash = try #require(answer.body["tx"]?.string.flatMap { Word(hex: $0) }, "\(answer)")
        let receipt = try await eventually(within: .seconds(60), every: .milliseconds(50), "a receipt") {
            try await node.receipt(of: hash)
        }
        #expect(receipt.succeeded)
    }

    func expectRefusal(
        _ path: String,
        _ body: [String: JSONValue],
        _ status: UInt,
        _ code: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let answer = await server.post(path, .object(body))
        #expect(answer.status == status, "\(answer)", sourceLocation: sourceLocation)
        #expect(answer.body["error"]?.string == code, "\(answer)", sourceLocation: sourceLocation)
        #expect(answer.body["message"]?.string?.isEmpty == false, sourceLocation: sourceLocation)
    }

    /// The server's record of a name once it is final and as it should be.
    func finalRecord(of name: Name, _ fits: (JSONValue) -> Bool) async throws -> JSONValue {
        try await eventually(within: .seconds(60), every: .milliseconds(100), "\(name) is final") {
            let record = await server.get("/v2/name/\(name)").body
            return record["state"] == "final" && fits(record) ? record : nil
        }
    }

    /// What was done with a name, by the journal that mirrors follow.
    func history(of name: Name) async -> [String] {
        let entries = await server.get("/v2/journal?from=1&limit=1000").body["entries"]?.array ?? []
        return entries.filter { $0["name"]?.string == name.text }.compactMap { $0["op"]?.string }
    }

    /// What our client finds out at the server.
    func lookup(_ name: Name) async throws -> NameLookup {
        let address = try #require(NameServerAddress(server.url))
        return try await NameDirectory(NameDirectory.Configuration(servers: [address])).lookup(name)
    }

    func lookup(_ account: InfoHash) async throws -> Name? {
        let address = try #require(NameServerAddress(server.url))
        return try await NameDirectory(NameDirectory.Configuration(servers: [address])).whois(account).name?.name
    }

    func pass(seconds: Int64) async throws {
        try await served.network.call("test_advanceTime", [.integer(seconds)])
        let before = try await node.blockNumber()
        try await eventually(within: .seconds(30), every: .milliseconds(50), "a block after the jump") {
            try await node.blockNumber() > before ? () : nil
        }
    }
}

/// What owners and committed people ask for by the extension API, through our server at a real contract.
@Suite(
    .enabled(if: Peers.missingForEthereum == nil && Peers.apus != nil),
    .takingTurns,
    SharingWorld(RelayWorld.self),
    .serialized,
    .timeLimit(.minutes(2))
)
struct RelayTests {
    private typealias Owner = RelayWorld.Owner

    @Test func `an owner gives a name to another one, and nobody else does`() async throws {
        let world = try RelayWorld.current()
        let (seller, buyer, thief) = (try Owner(11), try Owner(12), try Owner(13))
        let name = try await world.register(seller, "for-sale")
        let path = "/v2/name/\(name)/transfer"
        func body(_ by: Owner, to receiver: Owner, lasting seconds: Int64 = 600) async throws -> [String: JSONValue] {
            let request = OwnerRequest.transfer(name, to: receiver.key.account)
            let signed = try await world.signed(request, of: name, by: by.key, for: seconds)
            return signed.merging(["owner": .string(receiver.key.account.hex)]) { $1 }
        }
        await world.expectRefusal(path, try await body(thief, to: thief), 409, "notOwner")
        await world.expectRefusal(path, try await body(seller, to: buyer, lasting: -5), 409, "deadlinePassed")
        var diverted = try await body(seller, to: buyer)
        diverted["owner"] = .string(thief.key.account.hex)
        await world.expectRefusal(path, diverted, 409, "notOwner")
        diverted["owner"] = .string(NameRecord.tombstone.hex)
        await world.expectRefusal(path, diverted, 400, "invalidMember")
        await world.expectRefusal(path, ["owner": .string(buyer.key.account.hex)], 400, "invalidMember")
        let unknown = "/v2/name/not-registered/transfer"
        await world.expectRefusal(unknown, try await body(seller, to: buyer), 409, "notOwner")

        let sale = try await body(seller, to: buyer)
        try await world.expectSuccess(path, sale)
        await world.expectRefusal(path, sale, 409, "notOwner")
        await world.expectRefusal(path, try await body(seller, to: seller), 409, "notOwner")
        let record = try await world.finalRecord(of: name) { $0["owner"]?.string == buyer.key.account.hex }
        #expect(record["addr"]?.string == Address(seller.account).hex)
        try await world.expectSuccess(path, try await body(buyer, to: seller))
        _ = try await world.finalRecord(of: name) { $0["owner"]?.string == seller.key.account.hex }
        let history = await world.history(of: name)
        #expect(history == ["register", "transfer", "transfer"])
        // Whom it leads to is another matter, and still signed.
        let lookup = try await world.lookup(name)
        #expect(lookup.account == seller.account)
        #expect(lookup.assurance == .signed)
    }

    @Test func `an owner leads a name to another account, whose signature is needed`() async throws {
        let world = try RelayWorld.current()
        let (owner, phone, thief, other) = (try Owner(21), try Owner(22), try Owner(23), try Owner(24))
        let name = try await world.register(owner, "new-phone")
        _ = try await world.register(other, "other-person")
        let path = "/v2/name/\(name)/address"
        func body(_ by: Owner, to target: Owner, lasting seconds: Int64 = 600) async throws -> [String: JSONValue] {
            let evidence = try NameEvidence.sign(name, with: target.person.key)
            let request = OwnerRequest.setAddress(name, to: target.account, evidenceDigest: evidence.digest)
            let signed = try await world.signed(request, of: name, by: by.key, for: seconds)
            return signed.merging(RelayWorld.record(evidence, of: target.account)) { $1 }
        }
        await world.expectRefusal(path, try await body(thief, to: thief), 409, "notOwner")
        await world.expectRefusal(path, try await body(owner, to: phone, lasting: -5), 409, "deadlinePassed")
        await world.expectRefusal(path, try await body(owner, to: other), 409, "addrTaken")
        var unsigned = try await body(owner, to: phone)
        unsigned["addr"] = .string(thief.account.hex)
        await world.expectRefusal(path, unsigned, 400, "wrongEvidence")

        let move = try await body(owner, to: phone)
        try await world.expectSuccess(path, move)
        await world.expectRefusal(path, move, 409, "notOwner")
        _ = try await world.finalRecord(of: name) { $0["addr"]?.string == Address(phone.account).hex }
        let lookup = try await world.lookup(name)
        #expect(lookup.account == phone.account)
        #expect(lookup.assurance == .signed)
        let history = await world.history(of: name)
        #expect(history == ["register", "address"])
        let named = try await world.lookup(phone.account)
        #expect(named == name)
        let unnamed = try await world.lookup(owner.account)
        #expect(unnamed == nil)
        // The account that was left may have another name.
        _ = try await world.register(owner, "old-phone")
    }

    @Test func `an owner gives a name up for ever`() async throws {
        let world = try RelayWorld.current()
        let (owner, thief) = (try Owner(31), try Owner(32))
        let name = try await world.register(owner, "former")
        let path = "/v2/name/\(name)/release"
        func body(_ by: Owner, lasting seconds: Int64 = 600) async throws -> [String: JSONValue] {
            try await world.signed(.release(name), of: name, by: by.key, for: seconds)
        }
        await world.expectRefusal(path, try await body(thief), 409, "notOwner")
        await world.expectRefusal(path, try await body(owner, lasting: -5), 409, "deadlinePassed")
        let release = try await body(owner)
        try await world.expectSuccess(path, release)
        await world.expectRefusal(path, release, 409, "notOwner")
        await world.expectRefusal(path, try await body(owner), 409, "notOwner")
        let record = try await world.finalRecord(of: name) { $0["withdrawn"] == true }
        #expect(record["owner"]?.string == NameRecord.tombstone.hex)
        #expect(record["addr"] == nil)
        let history = await world.history(of: name)
        #expect(history == ["register", "release"])
        let lookup = try await world.lookup(name)
        #expect(lookup.answer == .absent)
        let unnamed = try await world.lookup(owner.account)
        #expect(unnamed == nil)
        // Nobody gets it again, and the account may have another one.
        for somebody in [owner, thief] {
            let request = try #require(JSONValue(parsing: try somebody.person.body(for: name.text)))
            let answer = await world.server.post("/name/\(name)", request)
            #expect(answer.status == 403)
        }
        _ = try await world.register(owner, "later")
    }

    @Test func `names are registered by commitment, neither too early nor too late nor twice`() async throws {
        let world = try RelayWorld.current()
        let (first, second, third) = (try Owner(41), try Owner(42), try Owner(43))
        try await world.served.registry.decide(.configure(.requireCommitments(true)))
        let decided = Int64(try await world.node.blockNumber())
        try await eventually(within: .seconds(30), "the server knows that commitments are needed") {
            let head = await world.server.get("/v2/status").body["head"]?.integer ?? 0
            return head >= decided ? () : nil
        }
        let direct = try #require(JSONValue(parsing: try first.person.body(for: "direct")))
        let refused = await world.server.post("/name/direct", direct)
        #expect(refused.status == 503)
        #expect(refused.body["error"]?.string?.contains("demands commitments") == true)
        let unstored = await world.server.get("/v2/name/direct")
        #expect(unstored.status == 404)

        func commitment(_ registration: Registration, _ secret: Word) -> [String: JSONValue] {
            let chain = world.served.network.chainID
            let hash = Commitment.of(registration, chain: chain, logic: world.logic, secret: secret)
            return ["commitment": .string(hash.hex)]
        }
        func reveal(_ registration: Registration, _ secret: Word) -> [String: JSONValue] {
            RelayWorld.record(registration.evidence, of: registration.account).merging([
                "owner": .string(registration.owner.hex), "secret": .string(secret.hex),
            ]) { $1 }
        }

        // Nothing is kept for those who have not committed themselves.
        let hidden = try first.person.registration(of: "hidden")
        let path = "/v2/name/hidden"
        await world.expectRefusal(path, reveal(hidden, Word(1)), 409, "noCommitment")
        await world.expectRefusal(path, ["secret": .string(Word(1).hex)], 400, "invalidMember")
        #expect(await world.server.get(path).status == 404)

        try await world.expectSuccess("/v2/commit", commitment(hidden, Word(1)))
        await world.expectRefusal("/v2/commit", commitment(hidden, Word(1)), 409, "commitmentPending")
        await world.expectRefusal("/v2/commit", ["commitment": "0x1"], 400, "invalidMember")
        await world.expectRefusal(path, reveal(hidden, Word(2)), 409, "noCommitment")

        // Too early: the server waits for the minute to be over.
        let early = await world.server.post(path, .object(reveal(hidden, Word(1))))
        #expect(early.status == 202)
        #expect(early.body["state"] == "accepted")
        let owner = try await world.node.ask(LogicContract(world.logic).owner(of: hidden.name))
        #expect(owner.isZero)
        try await world.pass(seconds: 61)
        let record = try await world.finalRecord(of: hidden.name) { _ in true }
        #expect(record["addr"]?.string == Address(first.account).hex)
        let lookup = try await world.lookup(hidden.name)
        #expect(lookup.account == first.account)
        #expect(lookup.assurance == .signed)
        let again = await world.server.post(path, .object(reveal(hidden, Word(1))))
        #expect(again.status == 202)
        #expect(again.body["state"] == "final")

        // Taken: a commitment of one's own does not help. Too late: a commitment of yesterday does not either.
        let rival = try second.person.registration(of: "hidden")
        let forgotten = try third.person.registration(of: "forgotten")
        try await world.expectSuccess("/v2/commit", commitment(rival, Word(3)))
        try await world.expectSuccess("/v2/commit", commitment(forgotten, Word(4)))
        try await world.pass(seconds: 61)
        await world.expectRefusal(path, reveal(rival, Word(3)), 409, "nameTaken")
        try await world.pass(seconds: 86_400)
        await world.expectRefusal("/v2/name/forgotten", reveal(forgotten, Word(4)), 409, "commitmentTooOld")
        #expect(await world.server.get("/v2/name/forgotten").status == 404)
        try await world.expectSuccess("/v2/commit", commitment(forgotten, Word(4)))
        try await world.pass(seconds: 61)
        let late = await world.server.post("/v2/name/forgotten", .object(reveal(forgotten, Word(4))))
        #expect(late.status == 202)
        _ = try await world.finalRecord(of: forgotten.name) { _ in true }

        try await world.served.registry.decide(.configure(.requireCommitments(false)))
        try await eventually(within: .seconds(30), "names are registered directly again") {
            let body = try #require(JSONValue(parsing: try second.person.body(for: "direct")))
            return await world.server.post("/name/direct", body).status == 200 ? () : nil
        }
    }
}
