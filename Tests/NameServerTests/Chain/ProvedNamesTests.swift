import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import Names
import Runtime
import TestSupport
import Testing

/// Our client leaves our server no word that it cannot prove, whoever stands in between.
@Suite(
    .enabled(if: Peers.missingForEthereum == nil && Peers.apus != nil),
    .takingTurns,
    SharingWorld(ProvedNames.self),
    .timeLimit(.minutes(2))
)
struct ProvedNamesTests {
    /// A lie about a name or about ana's account, and what the client calls it.
    struct Lie: Sendable, CustomTestStringConvertible {
        let title: String
        let named: @Sendable (ProvedNames) throws -> NameServerLie
        let tell: @Sendable (ProvedNames, String, NameServerReply) -> NameServerReply

        var testDescription: String { title }
    }

    /// A lie in the plain answer or in the one with proof, the other being true.
    private static func lie(
        _ title: String,
        isInProof: Bool,
        _ named: @autoclosure @escaping @Sendable () -> NameServerLie,
        _ change: @escaping @Sendable (ProvedNames, JSONValue) -> JSONValue
    ) -> Lie {
        Lie(title: title) { _ in
            named()
        } tell: { world, path, reply in
            path.hasPrefix("/v2/") == isInProof ? NameServerReply(change(world, reply.json)) : reply
        }
    }

    private static func withoutSignature(_ answer: JSONValue) -> JSONValue {
        ["publickey", "publicKey", "signature"].reduce(answer) { $0.replacing([$1], with: nil) }
    }

    /// Takes the last node from the proof of a slot.
    private static func truncated(_ answer: JSONValue, slot: Int) -> JSONValue {
        let count = answer["proof"]?["slots"]?[slot]?["proof"]?.array?.count ?? 0
        return answer.replacing(["proof", "slots", "\(slot)", "proof", "\(count - 1)"], with: nil)
    }

    static let liesAboutAlice: [Lie] = [
        lie("the signature is stripped from the answer", isInProof: false, .strippedSignature) {
            withoutSignature($1)
        },
        lie("the signature is stripped from the proof", isInProof: true, .strippedSignature) {
            withoutSignature($1)
        },
        lie("the answer is about another name", isInProof: false, .otherName("mallory")) { world, _ in
            world.early[ProvedNames.path(world.mallory)]?.json ?? .null
        },
        lie("the proof is about another name", isInProof: true, .otherName("mallory")) { world, _ in
            world.early[ProvedNames.proofPath(world.mallory)]?.json ?? .null
        },
        lie(
            "the address is another one",
            isInProof: false,
            .wrongEvidence(.otherAccount)
        ) { $1.replacing(["addr"], with: .string(Person.ben.address)) },
        lie(
            "the address is another one, and nobody signed",
            isInProof: false,
            .proofContradictsAnswer("the account is \(Person.ana.account)")
        ) { world, _ in ProvedNames.record(world.alice, Person.ben, nil) },
        lie(
            "the address is another one, who signed the name",
            isInProof: false,
            .proofContradictsAnswer("the account is \(Person.ana.account)")
        ) { world, _ in ProvedNames.record(world.alice, Person.ben, world.falseEvidence[world.alice]) },
        lie(
            "the address beside the proof is another one",
            isInProof: true,
            .proofContradictsAnswer("the account is \(Person.ana.account)")
        ) { $1.replacing(["addr"], with: .string(Person.ben.address)) },
        lie("the proof of the address is cut off", isInProof: true, .truncatedProof("the slot “addr”")) {
            truncated($1, slot: 1)
        },
        lie("the proof of the evidence is left out", isInProof: true, .truncatedProof("the slot “evidence”")) {
            $1.replacing(["proof", "slots", "2"], with: nil)
        },
        lie("the proof of the contract is cut off", isInProof: true, .truncatedProof("the contract")) {
            let count = $1["proof"]?["account"]?.array?.count ?? 0
            return $1.replacing(["proof", "account", "\(count - 1)"], with: nil)
        },
        Lie(title: "the name is denied") { _ in
            .proofContradictsAnswer("\(Person.ana.account) has the name")
        } tell: { _, path, reply in
            path.hasPrefix("/v2/") ? reply : .notFound
        },
        Lie(title: "the name is denied, and so is the proof") { _ in
            .absenceWithoutProof
        } tell: { _, _, _ in
            .notFound
        },
        Lie(title: "the name is denied, and the proof left out") { _ in
            .absenceWithoutProof
        } tell: { world, path, _ in
            path.hasPrefix("/v2/")
                ? NameServerReply(["name": .string(world.alice.text), "registered": false]) : .notFound
        },
        Lie(title: "everything is true on a fork of other signers") { world in
            let header = try #require(world.forged[ProvedNames.proofPath(world.alice)]).header
            return .untrustedBlock("\(try header.cliqueSigner()), who sealed it, is no signer")
        } tell: { world, path, reply in
            world.forged[path] ?? reply
        },
    ]

    static let liesAboutAccount: [Lie] = [
        lie("the proof is about another account", isInProof: true, .otherAccount(Person.ben.account)) { world, _ in
            world.early[ProvedNames.proofPath(Person.ben.account)]?.json ?? .null
        },
        lie("the account's signature is stripped", isInProof: true, .strippedSignature) { withoutSignature($1) },
        lie("the proof of the account's name is cut off", isInProof: true, .truncatedProof("the slot “reverse”")) {
            truncated($1, slot: 0)
        },
        lie("the account is denied", isInProof: true, .proofContradictsAnswer("the account has another name")) {
            $1.replacing(["registered"], with: false)
        },
        lie(
            "the account is given another name",
            isInProof: true,
            .proofContradictsAnswer("the account has another name")
        ) { $1.replacing(["name"], with: "mallory") },
    ]

    // MARK: The truth

    @Test func `a name, an account and an absent name are proved to who knows the genesis`() async throws {
        let world = try ProvedNames.current()
        let directory = try world.directory()
        let found = try await directory.verify(world.alice)
        #expect(found.answer == .found(Person.ana.account))
        #expect(found.assurance == .proved)
        #expect(found.problems.isEmpty)
        #expect(found.block != nil)
        let named = try await directory.verify(Person.ana.account)
        #expect(named.name?.name == world.alice)
        #expect(named.name?.assurance == .proved)
        let absent = try await directory.verify(world.nobody)
        #expect(absent.answer == .absent)
        #expect(absent.assurance == .proved)
        let unnamed = try await directory.verify(InfoHash(hashing: "an account without a name"))
        #expect(unnamed.name == nil)
        #expect(unnamed.block != nil)
        #expect(unnamed.problems.isEmpty)
    }

    // MARK: Lies

    private static func caught(_ lie: NameServerLie) -> NameServerProblem {
        NameServerProblem(ProvedNames.liar, .lie(lie))
    }

    @Test(arguments: liesAboutAlice) func `a lie about a name is caught and named`(lie: Lie) async throws {
        let world = try ProvedNames.current()
        let caught = Self.caught(try lie.named(world))
        let tell: LyingTransport.Lie = { lie.tell(world, $0, $1) }
        let alone = try world.directory(at: [ProvedNames.liar], lie: tell)
        await #expect(throws: NameDirectoryError.failed([caught])) { try await alone.verify(world.alice) }
        // Beside an honest server it is told, and does no harm.
        let both = try world.directory(at: [ProvedNames.liar, ProvedNames.honest], lie: tell)
        let lookup = try await both.verify(world.alice)
        #expect(lookup.answer == .found(Person.ana.account))
        #expect(lookup.assurance == .proved)
        #expect(lookup.problems == [caught])
    }

    @Test(arguments: liesAboutAccount) func `a lie about an account is caught and named`(lie: Lie) async throws {
        let world = try ProvedNames.current()
        let caught = Self.caught(try lie.named(world))
        let directory = try world.directory(at: [ProvedNames.liar, ProvedNames.honest]) { lie.tell(world, $0, $1) }
        let lookup = try await directory.verify(Person.ana.account)
        #expect(lookup.name?.name == world.alice)
        #expect(lookup.problems == [caught])
    }

    @Test func `a name that nobody has is not made up`() async throws {
        let world = try ProvedNames.current()
        let record = ProvedNames.record(world.nobody, Person.ben, world.falseEvidence[world.nobody])
        let directory = try world.directory(at: [ProvedNames.liar]) { path, reply in
            path.hasPrefix("/v2/") ? reply : NameServerReply(record)
        }
        let caught = Self.caught(.proofContradictsAnswer("nobody has the name"))
        await #expect(throws: NameDirectoryError.failed([caught])) { try await directory.verify(world.nobody) }
    }

    // MARK: Old proofs

    /// The proof of long ago, and one in a block that is younger by some seconds.
    private func proofs(_ world: ProvedNames) async throws -> (old: BlockHeader, new: BlockHeader) {
        let path = ProvedNames.proofPath(world.alice)
        let old = try #require(world.early[path]).header
        let new = try await eventually(within: .seconds(60), "time passes on the chain") {
            let header = try await ProvedNames.ask(world.address, path).header
            return header.timestamp >= old.timestamp + 3 ? header : nil
        }
        return (old, new)
    }

    @Test func `a proof that is older than the client permits is named stale`() async throws {
        let world = try ProvedNames.current()
        let (old, new) = try await proofs(world)
        let clock = StoppedClock(wallTime: WallTime(seconds: Int64(new.timestamp)))
        let directory = try world.directory(
            at: [ProvedNames.liar, ProvedNames.honest],
            maximumAge: 2,
            time: clock
        ) { path, reply in world.early[path] ?? reply }
        let lookup = try await directory.verify(world.alice)
        #expect(lookup.assurance == .proved)
        #expect(lookup.problems == [Self.caught(.staleProof(age: Int64(new.timestamp - old.timestamp)))])
    }

    @Test func `a proof behind one that was seen before is named, also by a client that was restarted`() async throws {
        let world = try ProvedNames.current()
        let folder = try TemporaryFolder(named: "proved")
        let (old, _) = try await proofs(world)
        let seen = try #require(try await world.directory(folder: folder.path).verify(world.alice).block)
        let directory = try world.directory(at: [ProvedNames.liar], folder: folder.path) { path, reply in
            world.early[path] ?? reply
        }
        let caught = Self.caught(.rolledBack(block: old.number, highest: seen.number))
        await #expect(throws: NameDirectoryError.failed([caught])) { try await directory.verify(world.alice) }
    }

    // MARK: The command

    @Test func `“apus name verify” tells what is proved and who lied`() async throws {
        let world = try ProvedNames.current()
        let folder = try TemporaryFolder(named: "proved")
        let trust = folder.path + "/trust.json"
        try world.trustSettings().line.write(toFile: trust, atomically: true, encoding: .utf8)
        let apus = try #require(Peers.apus)
        func verify(_ subject: String, at servers: String...) async throws -> CommandResult {
            try await run(
                [apus, "name", "verify", subject, "--trust", trust, "--data", folder.path]
                    + servers.flatMap { ["--server", $0] }
            )
        }
        let proved = try await verify("alice", at: world.server.url)
        #expect(proved.exit == .code(0))
        #expect(proved.output.contains("proved: the registry says so in block"))
        let unnamed = try await verify("\(InfoHash(hashing: "nobody's account"))", at: world.server.url)
        #expect(unnamed.exit == .code(2))
        #expect(unnamed.output.contains("has no name: proved in block"))
        let absent = try await verify("nobody", at: world.server.url)
        #expect(absent.exit == .code(2))
        #expect(absent.output.contains("Nobody is called “nobody”: proved in block"))
        let liar = try await ScriptedHTTPServer.start { request in
            guard let reply = try? await ProvedNames.ask(world.address, request.path) else { return .hangUp }
            return .json(Self.withoutSignature(reply.json).line)
        }
        let lied = try await verify("alice", at: liar.url)
        #expect(lied.exit == .code(7))
        #expect(lied.error.contains("left out the account's signature"))
        let both = try await verify("alice", at: liar.url, world.server.url)
        #expect(both.exit == .code(7))
        #expect(both.output.contains("proved: the registry says so in block"))
        #expect(both.error.contains("Caught: The name server \(liar.url) left out the account's signature"))
        await liar.stop()
    }
}
