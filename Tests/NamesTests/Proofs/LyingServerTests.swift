import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import Runtime
import TestSupport
import Testing

@testable import Names

/// A server that lies in every way that it can, and the name of each lie.
@Suite(.timeLimit(.minutes(2))) struct LyingServerTests {
    /// What a server answers to the plain question and to the one for a proof.
    struct Answers {
        var plain: NameServerReply
        var proof: NameServerReply
    }

    struct Lie: Sendable, CustomTestStringConvertible {
        let title: String
        let code: String
        let tell: @Sendable (RegistryWorld, Name) throws -> Answers

        var testDescription: String { title }
    }

    private static func honest(_ world: RegistryWorld, _ alice: Name) throws -> Answers {
        Answers(plain: try world.captured.answer(for: alice), proof: .json(try world.proof(of: alice).line))
    }

    /// A lie in the answer with proof, the plain answer being true.
    private static func inProof(
        _ title: String,
        _ code: String,
        _ change: @escaping @Sendable (JSONValue) -> JSONValue
    ) -> Lie {
        Lie(title: title, code: code) { world, alice in
            var answers = try honest(world, alice)
            answers.proof = .json(change(try world.proof(of: alice)).line)
            return answers
        }
    }

    /// A lie in the plain answer, the proof being true.
    private static func inAnswer(
        _ title: String,
        _ code: String,
        _ plain: @escaping @Sendable (RegistryWorld, Name) throws -> NameServerReply
    ) -> Lie {
        Lie(title: title, code: code) { world, alice in
            var answers = try honest(world, alice)
            answers.plain = try plain(world, alice)
            return answers
        }
    }

    /// A proof in blocks of the liar's making.
    private static func inBlocks(
        _ title: String,
        _ code: String,
        _ blocks: @escaping @Sendable (RegistryWorld) throws -> [BlockHeader]
    ) -> Lie {
        Lie(title: title, code: code) { world, alice in
            var answers = try honest(world, alice)
            answers.proof = .json(try world.proof(of: alice, blocks: try blocks(world)).line)
            return answers
        }
    }

    private static let mallory = "ababababababababababababababababababab99"

    static let lies: [Lie] = [
        inAnswer("the signature is left out", "strippedSignature") { $0.captured.unsignedAnswer(for: $1) },
        inAnswer("half of the evidence is left out", "strippedSignature") { world, alice in
            let evidence = try NameEvidence.sign(alice, with: world.captured.key)
            return .json(
                #"{"name":"\#(alice)","addr":"0x\#(world.captured.account)","publickey":"\#(evidence.publicKeyText)"}"#
            )
        },
        inAnswer("the answer is about another name", "otherName") { world, _ in
            try world.captured.answer(for: try name("mallory"))
        },
        inAnswer("the address is exchanged and the signature kept", "wrongEvidence") { world, alice in
            let text = String(decoding: try world.captured.answer(for: alice).body, as: UTF8.self)
            return .json(text.replacing(world.captured.account.hex, with: mallory))
        },
        inAnswer("the signature is over another name", "wrongEvidence") { world, alice in
            let text = String(decoding: try world.captured.answer(for: try name("mallory")).body, as: UTF8.self)
            return .json(text.replacing("mallory", with: alice.text))
        },
        inAnswer("an unsigned answer names another account", "proofContradictsAnswer") { _, alice in
            .json(#"{"name":"\#(alice)","addr":"0x\#(mallory)"}"#)
        },
        inAnswer("the plain answer denies what is proved", "proofContradictsAnswer") { _, _ in .notFound },
        inProof("the signature is left out beside the proof", "strippedSignature") {
            $0.replacing(["publicKey"], with: nil).replacing(["signature"], with: nil)
        },
        Lie(title: "the proof shows a signature over another name", code: "proofContradictsAnswer") { world, alice in
            var answers = try honest(world, alice)
            let other = try NameEvidence.sign(try name("mallory"), with: world.captured.key)
            answers.proof = .json(try world.proof(of: alice, evidence: other).line)
            return answers
        },
        inProof("the proof is said to be of another account", "proofContradictsAnswer") {
            $0.replacing(["addr"], with: .string("0x" + mallory))
        },
        inProof("the proof is said to be of another owner", "proofContradictsAnswer") {
            $0.replacing(["owner"], with: .string("0x" + mallory))
        },
        inProof("what is proved is denied", "proofContradictsAnswer") {
            $0.replacing(["registered"], with: false)
        },
        inProof("the proof is about another name", "otherName") { $0.replacing(["name"], with: "mallory") },
        inProof("a proved name is denied without proof", "absenceWithoutProof") {
            $0.replacing(["registered"], with: false).replacing(["proof"], with: nil)
        },
        inProof("the proof is left out", "truncatedProof") { $0.replacing(["proof"], with: nil) },
        inProof("the last node of a slot is left out", "truncatedProof") {
            let count = $0["proof"]?["slots"]?[0]?["proof"]?.array?.count ?? 0
            return $0.replacing(["proof", "slots", "0", "proof", "\(count - 1)"], with: nil)
        },
        inProof("all nodes of a slot are left out", "truncatedProof") {
            $0.replacing(["proof", "slots", "2", "proof"], with: [])
        },
        inProof("a slot is left out", "truncatedProof") { $0.replacing(["proof", "slots", "2"], with: nil) },
        inProof("the contract's nodes are cut off", "truncatedProof") {
            $0.replacing(["proof", "account", "1"], with: nil)
        },
        inProof("the first node is left out", "wrongProof") {
            $0.replacing(["proof", "slots", "1", "proof", "0"], with: nil)
        },
        inProof("the proofs of two slots are exchanged", "wrongProof") {
            let (first, second) = ($0["proof"]?["slots"]?[0]?["proof"], $0["proof"]?["slots"]?[1]?["proof"])
            return $0.replacing(["proof", "slots", "0", "proof"], with: second)
                .replacing(["proof", "slots", "1", "proof"], with: first)
        },
        inProof("one bit of a node is flipped", "wrongProof") {
            let node = $0["proof"]?["slots"]?[1]?["proof"]?[1]?.string ?? ""
            var bytes = HexText.bytes(node) ?? []
            bytes[bytes.count - 1] ^= 1
            return $0.replacing(["proof", "slots", "1", "proof", "1"], with: .string(HexText.data(bytes)))
        },
        inProof("one bit of the state root is flipped", "untrustedBlock") {
            var bytes = HexText.bytes($0["proof"]?["header"]?.string ?? "") ?? []
            bytes[120] ^= 1
            return $0.replacing(["proof", "header"], with: .string(HexText.data(bytes)))
        },
        inProof("it is a proof of another chain", "otherChain") {
            $0.replacing(["proof", "chainId"], with: "0x1")
        },
        inProof("it is a proof of another registry", "otherStore") {
            $0.replacing(["proof", "store"], with: .string("0x" + mallory))
        },
        inProof("nobody stands behind the block", "untrustedBlock") {
            $0.replacing(["proof", "anchors"], with: ["kind": "quorum"])
        },
        inProof("too few stand behind the block", "untrustedBlock") {
            $0.replacing(["proof", "anchors", "headers", "1"], with: nil)
                .replacing(["proof", "anchors", "headers", "1"], with: nil)
                .replacing(["proof", "anchors", "headers", "1"], with: nil)
        },
        inProof("the blocks behind it belong to another one", "untrustedBlock") {
            $0.replacing(["proof", "anchors", "headers", "0"], with: nil)
        },
        inBlocks("the block is a quarter of an hour old", "staleProof") { try $0.blocks(age: 900) },
        inBlocks("the block is made in two minutes", "futureProof") { try $0.blocks(age: -120) },
        inBlocks("the block is sealed by a stranger", "untrustedBlock") { world in
            let stranger = try EthereumKey(secret: Array(repeating: 77, count: 32))
            var blocks = try world.blocks(count: 1)
            blocks[0] = try world.sealed(blocks[0], by: stranger, difficulty: 2)
            return blocks
        },
        inBlocks("one signer seals every block", "untrustedBlock") { world in
            var blocks: [BlockHeader] = []
            for block in try world.blocks() {
                var next = block
                if let last = blocks.last { next.parentHash = last.hash }
                let key = world.signers[0]
                blocks.append(try world.sealed(next, by: key, difficulty: next.number % 5 == 0 ? 2 : 1))
            }
            return blocks
        },
    ]

    private func directory(
        _ world: RegistryWorld,
        _ servers: [String: Answers],
        time: VirtualTime = VirtualTime(),
        folder: String? = nil
    ) throws -> NameDirectory {
        let transport = ScriptedTransport { question, _ in
            guard let answers = servers[question.server] else { return .notFound }
            return question.path.hasPrefix("/v2/") ? answers.proof : answers.plain
        }
        return NameDirectory(
            NameDirectory.Configuration(
                servers: try servers.keys.sorted().map { try server($0) },
                cacheFolder: folder,
                trust: try world.trust
            ),
            transport: transport,
            time: time
        )
    }

    private static let liar = "https://a-liar.example"
    private static let honestServer = "https://honest.example"

    private func world() throws -> (RegistryWorld, Name) {
        var world = try RegistryWorld()
        let alice = try name("alice")
        try world.register(alice)
        return (world, alice)
    }

    @Test func `an honest server proves a name`() async throws {
        let (world, alice) = try world()
        let lookup = try await directory(world, [Self.honestServer: try Self.honest(world, alice)]).verify(alice)
        #expect(lookup.account == world.captured.account && lookup.assurance == .proved)
        #expect(lookup.block?.number == 1_000 && lookup.problems.isEmpty)
    }

    @Test func `an honest server proves that nobody has a name, and that one was given up`() async throws {
        var (world, _) = try world()
        let (nobody, former) = (try name("nobody"), try name("former"))
        world.set(RegistryLayout.owner(of: former), Word(NameRecord.tombstone))
        let answers = Answers(plain: .notFound, proof: .json(try world.proof(of: nobody).line))
        let absent = try await directory(world, [Self.honestServer: answers]).verify(nobody)
        #expect(absent.answer == .absent && absent.assurance == .proved)
        let second = Answers(plain: .notFound, proof: .json(try world.proof(of: former).line))
        let withdrawn = try await directory(world, [Self.honestServer: second]).verify(former)
        #expect(withdrawn.answer == .withdrawn && withdrawn.assurance == .proved)
    }

    @Test func `a name that the contract has without evidence stays unsigned`() async throws {
        var (world, alice) = try world()
        try world.register(alice, signed: false)
        let answers = Answers(
            plain: world.captured.unsignedAnswer(for: alice),
            proof: .json(try world.proof(of: alice).line)
        )
        let lookup = try await directory(world, [Self.honestServer: answers]).verify(alice)
        #expect(lookup.assurance == .unsigned && lookup.block != nil)
    }

    @Test func `a name that the chain does not have yet is signed, if the server says so`() async throws {
        let (world, _) = try world()
        let new = try name("brand-new")
        let text = String(decoding: try world.captured.answer(for: new).body, as: UTF8.self)
        let proof = NameServerReply.json(try world.proof(of: new).line)
        let pending = Answers(
            plain: .json(text.replacing("{\"name\"", with: "{\"state\":\"sent\",\"name\"")),
            proof: proof
        )
        let lookup = try await directory(world, [Self.honestServer: pending]).verify(new)
        #expect(lookup.assurance == .signed && lookup.block == nil)
        let claimed = try directory(world, [Self.liar: Answers(plain: .json(text), proof: proof)])
        await #expect(throws: Self.failure(.proofContradictsAnswer("nobody has the name"))) {
            try await claimed.verify(new)
        }
    }

    private static func failure(_ lie: NameServerLie) -> NameDirectoryError {
        .failed([NameServerProblem(NameServerAddress(liar) ?? .nowhere, .lie(lie))])
    }

    @Test(arguments: lies) func `every lie is caught and named`(lie: Lie) async throws {
        let (world, alice) = try world()
        let alone = try directory(world, [Self.liar: try lie.tell(world, alice)])
        let error = await #expect(throws: NameDirectoryError.self) { try await alone.verify(alice) }
        #expect(error?.problems.map(\.fault.code) == [lie.code])
        #expect(error?.lies.count == 1)
        #expect(error?.sentence.contains("a-liar.example") == true)
        // Beside an honest server the lie is told, and does no harm.
        let servers = [Self.liar: try lie.tell(world, alice), Self.honestServer: try Self.honest(world, alice)]
        let lookup = try await directory(world, servers).verify(alice)
        #expect(lookup.account == world.captured.account && lookup.assurance == .proved)
        #expect(lookup.problems.map(\.fault.code) == [lie.code])
    }

    @Test func `a denial without any proof is a lie`() async throws {
        let (world, alice) = try world()
        let directory = try directory(world, [Self.liar: Answers(plain: .notFound, proof: .notFound)])
        await #expect(throws: Self.failure(.absenceWithoutProof)) { try await directory.verify(alice) }
    }

    @Test func `a block older than one that was accepted is refused, also after a restart`() async throws {
        let folder = NSTemporaryDirectory() + "names-blocks-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (world, alice) = try world()
        let newest = Answers(
            plain: try world.captured.answer(for: alice),
            proof: .json(try world.proof(of: alice, blocks: try world.blocks(number: 1_010)).line)
        )
        _ = try await directory(world, [Self.liar: newest], folder: folder).verify(alice)
        let older = try directory(world, [Self.liar: try Self.honest(world, alice)], folder: folder)
        await #expect(throws: Self.failure(.rolledBack(block: 1_000, highest: 1_010))) {
            try await older.verify(alice)
        }
        // The same height with another block: somebody sealed both.
        var fork = newest
        fork.proof = .json(try world.proof(of: alice, blocks: try world.blocks(number: 1_010, age: 30)).line)
        let forked = try directory(world, [Self.liar: fork], folder: folder)
        await #expect(throws: Self.failure(.untrustedBlock("another block 1010 was proved before"))) {
            try await forked.verify(alice)
        }
    }

    @Test func `of servers that are asked at once, one that is a block behind does not go back`() async throws {
        let folder = try TemporaryFolder(named: "names-blocks")
        let (world, alice) = try world()
        let (ahead, behind) = ("https://ahead.example", "https://behind.example")
        let newer = NameServerReply.json(try world.proof(of: alice, blocks: try world.blocks(number: 1_001)).line)
        let honest = try Self.honest(world, alice)
        let transport = ScriptedTransport { question, _ in
            guard question.path.hasPrefix("/v2/") else { return honest.plain }
            guard question.server == behind else { return newer }
            // The other answer is accepted by then.
            try? await eventually(within: .seconds(20), every: .milliseconds(5), "a block is accepted") {
                FileManager.default.fileExists(atPath: folder.path + "/accepted-blocks.json") ? () : nil
            }
            return honest.proof
        }
        let configuration = NameDirectory.Configuration(
            servers: [try server(ahead), try server(behind)],
            cacheFolder: folder.path,
            trust: try world.trust
        )
        let directory = NameDirectory(configuration, transport: transport, time: VirtualTime())
        let lookup = try await directory.verify(alice)
        #expect(lookup.block?.number == 1_001 && lookup.problems.isEmpty)
        // Asked alone afterwards, it does.
        await #expect(throws: NameDirectoryError.self) { try await directory.verify(alice, at: try server(behind)) }
    }

    @Test func `two servers that contradict each other are noticed, also without proofs`() async throws {
        let (world, alice) = try world()
        let signed = try world.captured.answer(for: alice)
        let other = NameServerReply.json(#"{"name":"alice","addr":"0x\#(Self.mallory)"}"#)
        let transport = ScriptedTransport { question, _ in question.server == Self.liar ? other : signed }
        let configuration = NameDirectory.Configuration(servers: [
            try server(Self.liar), try server(Self.honestServer),
        ])
        let directory = NameDirectory(configuration, transport: transport, time: VirtualTime())
        let error = await #expect(throws: NameDirectoryError.self) { try await directory.verify(alice) }
        #expect(error?.problems.map(\.fault.code) == ["contradiction"])
    }

    @Test func `a checkpoint of long ago judges nothing, and that is not the server's fault`() async throws {
        let (world, alice) = try world()
        let answers = [Self.honestServer: try Self.honest(world, alice)]
        let trust = NameTrust(
            chain: RegistryWorld.chain,
            store: world.store,
            rule: .clique(try CliqueTrust(checkpoint: world.genesis, maximumCheckpointAge: .seconds(3_600))),
            freshness: .proofOfAuthority
        )
        let transport = ScriptedTransport { question, _ in
            question.path.hasPrefix("/v2/")
                ? answers[Self.honestServer]?.proof ?? .notFound
                : answers[Self.honestServer]?.plain ?? .notFound
        }
        let configuration = NameDirectory.Configuration(servers: [try server(Self.honestServer)], trust: trust)
        let directory = NameDirectory(configuration, transport: transport, time: VirtualTime())
        let error = await #expect(throws: NameDirectoryError.self) { try await directory.verify(alice) }
        #expect(error?.problems.map(\.fault.code) == ["unverifiable"] && error?.lies.isEmpty == true)
    }

    @Test func `an account's name is proved both ways, and its absence too`() async throws {
        let (world, alice) = try world()
        let named = Answers(plain: .notFound, proof: .json(try world.proofOfAccount(name: alice).line))
        let lookup = try await directory(world, [Self.honestServer: named]).verify(world.captured.account)
        #expect(lookup.name?.name == alice && lookup.name?.assurance == .proved)
        let stranger = try directory(world, [Self.liar: named])
        let other = InfoHash(hashing: "somebody else")
        await #expect(throws: Self.failure(.otherAccount(world.captured.account))) {
            try await stranger.verify(other)
        }
        let denied = Answers(plain: .notFound, proof: .json(try world.proofOfAccount(name: nil).line))
        await #expect(throws: Self.failure(.proofContradictsAnswer("the account has another name"))) {
            try await directory(world, [Self.liar: denied]).verify(world.captured.account)
        }
        let empty = try RegistryWorld()
        let none = Answers(plain: .notFound, proof: .json(try empty.proofOfAccount(name: nil).line))
        let absent = try await directory(empty, [Self.honestServer: none]).verify(world.captured.account)
        #expect(absent.name == nil)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `no damage to a proof proves anything else, and none traps`(seed: UInt64) throws {
        let (world, alice) = try world()
        let verifier = ProofVerifier(trust: try world.trust)
        let original = Array(try world.proof(of: alice).line.utf8)
        var mutations = ByteMutations(seed: seed)
        guard case .clique(let clique) = verifier.trust.rule else { return }
        for _ in 0..<300 {
            let reply = NameServerReply(status: 200, body: mutations.next(of: original))
            do throws(NameServerFault) {
                let answer = try ProofAnswer(reply)
                let now = WallTime(seconds: world.now)
                let header = try verifier.header(of: answer, now: now, earlier: nil, highest: nil)
                try verifier.check(header, of: answer, against: clique, now: now)
                let proved = try verifier.proved(answer, of: alice, in: header)
                #expect(proved.answer == .found(world.captured.account) && proved.isSigned)
            } catch {
                #expect(!error.code.isEmpty)
            }
        }
    }
}
