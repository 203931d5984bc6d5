import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import Runtime
import TestSupport
import Testing

@testable import Names

/// Proofs of real chains, true ones and false ones.
@Suite struct ProofVectorTests {
    private let vector: JSONVector
    private let captured: CapturedRegistration
    private let header: BlockHeader

    init() throws {
        vector = try JSONVector(file: "jns-proof", in: Bundle.module)
        captured = try CapturedRegistration()
        header = try BlockHeader(decoding: try #require(HexText.bytes(vector["headerRlp"].text)))
    }

    private var trust: NameTrust {
        get throws {
            NameTrust(
                chain: vector["chainId"].unsigned,
                store: try #require(Address(hex: vector["store"].text)),
                rule: .quorum(NameTrust.QuorumRule(endpoints: ["a", "b", "c"], neededAtFirst: 3, needed: 2)),
                freshness: .proofOfStake
            )
        }
    }

    private func nodes(_ slot: String) -> JSONValue {
        let entry = vector["proof"]["storageProof"].elements.first { $0["key"].text == vector["slots"][slot].text }
        return .array((entry?["proof"].elements ?? []).map { .string($0.text) })
    }

    private func slot(_ field: String) -> JSONValue {
        .object(["field": .string(field), "proof": nodes(field)])
    }

    private var answer: JSONValue {
        get throws {
            .object([
                "name": .string(captured.name.text),
                "registered": true,
                "addr": .string(vector["addr"].text),
                "owner": .string(vector["owner"].text),
                "publicKey": .string(Data(captured.vector["spkiDerHex"].hex).base64EncodedString()),
                "signature": .string(Data(captured.vector["signatureHex"].hex).base64EncodedString()),
                "proof": .object([
                    "chainId": .string(HexText.quantity(vector["chainId"].unsigned)),
                    "store": .string(vector["store"].text),
                    "header": .string(vector["headerRlp"].text),
                    "anchors": ["kind": "quorum"],
                    "account": .array(vector["proof"]["accountProof"].elements.map { .string($0.text) }),
                    "slots": [slot("reverse"), slot("owner"), slot("addr"), slot("evidence")],
                ]),
            ])
        }
    }

    @Test func `the proof of a real registration proves it, by name and by account`() throws {
        let verifier = ProofVerifier(trust: try trust)
        let answer = try ProofAnswer(.json(try answer.line))
        let now = WallTime(seconds: Int64(header.timestamp) + 60)
        let block = try verifier.header(of: answer, now: now, earlier: nil, highest: nil)
        #expect(block.hash.hex == vector["blockHash"].text)
        let proved = try verifier.proved(answer, of: captured.name, in: block)
        #expect(proved.answer == .found(captured.account) && proved.isSigned)
        let named = try verifier.proved(answer, of: captured.account, in: block)
        #expect(named.name?.name == captured.name)
    }

    @Test func `each false proof is refused`() throws {
        let verifier = ProofVerifier(trust: try trust)
        let list = vector["invalidStorageProofs"].elements
        #expect(list.count == 9)
        for entry in list {
            var changed = try answer.replacing(
                ["proof", "slots", "2", "proof"],
                with: .array(entry["proof"].elements.map { .string($0.text) })
            )
            let isDenial = entry["value"].text == "0x0"
            if isDenial {
                changed = changed.replacing(["registered"], with: false).replacing(["addr"], with: nil)
            } else {
                changed = changed.replacing(["addr"], with: .string(entry["value"].text))
            }
            let answer = try ProofAnswer(.json(changed.line))
            let fault = #expect(throws: NameServerFault.self, "\(entry["why"].text)") {
                try verifier.proved(answer, of: captured.name, in: header)
            }
            #expect(fault?.lie != nil)
        }
    }

    @Test(
        arguments: [
            ((3, 0, 0, 0), true, nil),
            ((2, 0, 0, 1), false, "unverifiable"),
            ((2, 1, 0, 0), false, "untrustedBlock"),
            ((2, 0, 1, 0), false, "untrustedBlock"),
            ((0, 0, 0, 3), false, "unverifiable"),
        ] as [((Int, Int, Int, Int), Bool, String?)]
    )
    func `so many operators must agree at the first contact`(
        counts: (Int, Int, Int, Int),
        isTrusted: Bool,
        code: String?
    ) async throws {
        var outcome = QuorumTrust.Outcome()
        (outcome.agreeing, outcome.contradicting, outcome.behind, outcome.silent) = counts
        let said = outcome
        let (plain, proof) = (try captured.answer(for: captured.name), NameServerReply.json(try answer.line))
        let transport = ScriptedTransport { question, _ in question.path.hasPrefix("/v2/") ? proof : plain }
        let hash = header.hash
        let directory = NameDirectory(
            NameDirectory.Configuration(servers: [try server("names.example")], trust: try trust),
            transport: transport,
            witnesses: { _, asked in asked == hash ? said : QuorumTrust.Outcome() },
            time: VirtualTime(seconds: Int64(header.timestamp) + 60)
        )
        do throws(NameDirectoryError) {
            let lookup = try await directory.verify(captured.name)
            #expect(isTrusted && lookup.assurance == .proved)
        } catch {
            #expect(!isTrusted && error.problems.first?.fault.code == code)
        }
    }

    @Test func `headers of a real Clique chain are trusted, and each forged one behind a block is named`() throws {
        let clique = try JSONVector(file: "jns-clique", in: Bundle.module)
        func header(_ entry: JSONVector) throws -> [UInt8] { try #require(HexText.bytes(entry["rlp"].text)) }
        let genesis = try BlockHeader(decoding: try #require(HexText.bytes(clique["genesisRlp"].text)))
        let chain = try clique["chain"].elements.map(header)
        let trust = try CliqueTrust(checkpoint: genesis, maximumCheckpointAge: .seconds(4_000_000_000))
        let verifier = ProofVerifier(
            trust: NameTrust(
                chain: 1,
                store: Address(InfoHash(hashing: "store")),
                rule: .clique(trust),
                freshness: .proofOfAuthority
            )
        )
        let now = WallTime(seconds: 4_000_000_000)
        func check(_ index: Int, _ behind: [[UInt8]]) throws {
            let proof = try answer.replacing(
                ["proof", "anchors"],
                with: .object(["kind": "clique", "headers": RegistryWorld.nodes(behind)])
            )
            let block = try BlockHeader(decoding: chain[index])
            try verifier.check(block, of: try ProofAnswer(.json(proof.line)), against: trust, now: now)
        }
        try check(2, Array(chain[3...]))
        #expect(throws: NameServerFault.self) { try check(8, []) }
        for entry in clique["rejected"].elements {
            let forged = try header(entry)
            let fault = #expect(throws: NameServerFault.self, "\(entry["why"].text)") {
                try check(6, Array(chain[7...]) + [forged])
            }
            #expect(fault?.code == "untrustedBlock")
        }
    }
}

@Suite struct NameTrustTests {
    @Test func `settings name a chain, a registry and a rule`() throws {
        let world = try RegistryWorld()
        let clique = try NameTrust(
            json: """
                {"chainId": "0x60f", "store": "\(world.store.hex)", "maximumAge": 120, "allowedSkew": 5,
                 "trust": {"kind": "clique", "checkpoint": "\(HexText.data(world.genesis.encoded))"}}
                """
        )
        #expect(clique.chain == 1551 && clique.store == world.store)
        #expect(clique.freshness == Freshness(maximumAge: .seconds(120), allowedSkew: .seconds(5)))
        let quorum = try NameTrust(
            json: """
                {"chainId": 1, "store": "\(world.store.hex)",
                 "trust": {"kind": "quorum", "endpoints": ["https://a", "https://b", "https://c"]}}
                """
        )
        let rule = NameTrust.QuorumRule(
            endpoints: ["https://a", "https://b", "https://c"],
            neededAtFirst: 3,
            needed: 2
        )
        #expect(quorum.rule == .quorum(rule) && quorum.freshness == .proofOfStake)
    }

    private static let store = "0x" + String(repeating: "ab", count: 20)

    @Test(arguments: [
        "", "[]", "{}",
        #"{"chainId": 0, "store": "\#(store)", "trust": {"kind": "quorum", "endpoints": ["a"]}}"#,
        #"{"chainId": 1, "store": "0x", "trust": {"kind": "quorum", "endpoints": ["a"]}}"#,
        #"{"chainId": 1, "store": "\#(store)"}"#,
        #"{"chainId": 1, "store": "\#(store)", "trust": {"kind": "faith"}}"#,
        #"{"chainId": 1, "store": "\#(store)", "trust": {"kind": "quorum", "endpoints": []}}"#,
        #"{"chainId": 1, "store": "\#(store)", "trust": {"kind": "quorum", "endpoints": ["a", "a"]}}"#,
        #"{"chainId": 1, "store": "\#(store)", "trust": {"kind": "quorum", "endpoints": ["a"], "later": 2}}"#,
        #"{"chainId": 1, "store": "\#(store)", "trust": {"kind": "clique", "checkpoint": "0xc0"}}"#,
        #"{"chainId": 1, "store": "\#(store)", "maximumAge": -1, "trust": {"kind": "quorum", "endpoints": ["a"]}}"#,
    ])
    func `settings that do not hold together are refused with a sentence`(text: String) {
        let error = #expect(throws: NameTrustError.self) { try NameTrust(json: text) }
        #expect(error?.sentence.isEmpty == false)
    }

    @Test func `a file that is not there is named`() {
        #expect(throws: NameTrustError.notFound("/nowhere/names.json")) { try NameTrust.load("/nowhere/names.json") }
    }
}
