import JSON
import NameRegistry
import Runtime

@testable import Ethereum
@testable import Keys
@testable import Names

/// Checks of a proof as a registry with a million names on a chain of five signers gives it.
///
/// The way to each slot has six branches, whose other children are random, and the way to the contract three.
struct Proving {
    private static let slotBranches = 6
    private static let contractBranches = 3
    private static let now: Int64 = 1_700_000_000

    private let name: Name
    private let answer: [UInt8]
    private let verifier: ProofVerifier
    private let storageRoot: Word
    private let slots: [(path: [UInt8], nodes: [[UInt8]])]
    private let contract: (path: [UInt8], root: Word, nodes: [[UInt8]])
    private let blocks: [BlockHeader]

    init() throws {
        var randomness = Randomness.seeded(1)
        let key = try RSAPrivateKey.generate(bits: 4_096)
        let name = try Self.name()
        let evidence = try NameEvidence.sign(name, with: key)
        let owner = Address(InfoHash.random(using: &randomness))
        let store = Address(InfoHash.random(using: &randomness))
        let fields: [(String, StoreKey, Word)] = [
            ("owner", RegistryLayout.owner(of: name), Word(owner)),
            ("addr", RegistryLayout.account(of: name), Word(Address(evidence.account))),
            ("evidence", RegistryLayout.evidence(of: name), evidence.digest),
        ]
        let storage = SyntheticTrie(
            fields.map { ($0.1.slot.bytes, RLPValue.integer($0.2).encoded) },
            branches: Self.slotBranches,
            using: &randomness
        )
        let account = RLPValue.list([
            .integer(1 as UInt64), .bytes([]), .word(storage.root), .word(Word(hashing: [1])),
        ])
        let state = SyntheticTrie([(store.bytes, account.encoded)], branches: Self.contractBranches, using: &randomness)
        let signers = try (1...5).map { try EthereumKey(secret: Array(repeating: $0, count: 32)) }
            .sorted { $0.account < $1.account }
        let genesis = try Self.header(
            time: Self.now - 86_400,
            extra: Array(repeating: 0, count: 32) + signers.flatMap(\.account.bytes) + Array(repeating: 0, count: 65)
        )
        var blocks: [BlockHeader] = []
        for offset in 0..<5 {
            var block = try Self.header(time: Self.now - 20 + Int64(offset), extra: Array(repeating: 0, count: 97))
            block.number = 1_000 + UInt64(offset)
            block.parentHash = blocks.last?.hash ?? .zero
            block.stateRoot = state.root
            block.difficulty = Word(2)
            let seal = try signers[Int(block.number % 5)].sign(try block.cliqueSealHash())
            block.extraData = Array(repeating: 0, count: 32) + seal.bytes
            blocks.append(block)
        }
        func texts(_ nodes: [[UInt8]]) -> JSONValue { .array(nodes.map { .string(HexText.data($0)) }) }
        let text = JSONValue.object([
            "name": .string(name.text), "registered": true, "owner": .string(owner.hex),
            "addr": .string("0x" + evidence.account.hex), "signature": .string(evidence.signatureText),
            "publicKey": .string(Base64.encode(evidence.publicKey)),
            "proof": [
                "chainId": "0x60f", "store": .string(store.hex), "header": .string(HexText.data(blocks[0].encoded)),
                "anchors": [
                    "kind": "clique", "headers": texts(blocks.dropFirst().map(\.encoded)), "checkpoints": [],
                ],
                "account": texts(state.nodes[0]),
                "slots": .array(
                    zip(fields, storage.nodes).map { ["field": .string($0.0), "proof": texts($1)] }
                ),
            ],
        ])
        self.name = name
        self.blocks = blocks
        answer = Array(text.line.utf8)
        storageRoot = storage.root
        slots = zip(fields, storage.nodes).map { (Word(hashing: $0.1.slot.bytes).bytes, $1) }
        contract = (Word(hashing: store.bytes).bytes, state.root, state.nodes[0])
        verifier = ProofVerifier(
            trust: NameTrust(
                chain: 0x60F,
                store: store,
                rule: .clique(try CliqueTrust(checkpoint: genesis)),
                freshness: .proofOfAuthority
            )
        )
    }

    /// A name whose three slots part at the root of the trie.
    private static func name() throws -> Name {
        for number in 0..<1_000 {
            guard let name = Name(canonical: "name-\(number)") else { continue }
            let keys = [
                RegistryLayout.owner(of: name), RegistryLayout.account(of: name), RegistryLayout.evidence(of: name),
            ]
            if Set(keys.map { Word(hashing: $0.slot.bytes).bytes[0] >> 4 }).count == 3 { return name }
        }
        throw SyntheticTrie.Failure()
    }

    private static func header(time: Int64, extra: [UInt8]) throws -> BlockHeader {
        try BlockHeader(
            decoding: RLPValue.list([
                .word(.zero), .word(.zero), .address(.zero), .word(.zero), .word(.zero), .word(.zero),
                .bytes(Array(repeating: 0, count: 256)), .integer(1 as UInt64), .integer(0 as UInt64),
                .integer(30_000_000 as UInt64), .integer(0 as UInt64), .integer(UInt64(time)), .bytes(extra),
                .word(.zero), .bytes(Array(repeating: 0, count: 8)), .integer(0 as UInt64),
            ]).encoded
        )
    }

    /// A whole answer: JSON, block, seals, slots, evidence.
    private func verifyAll() throws {
        let proof = try ProofAnswer(NameServerReply(status: 200, body: answer))
        let now = WallTime(seconds: Self.now)
        let header = try verifier.header(of: proof, now: now, earlier: nil, highest: nil)
        guard case .clique(let trust) = verifier.trust.rule else { throw SyntheticTrie.Failure() }
        try verifier.check(header, of: proof, against: trust, now: now)
        guard try verifier.proved(proof, of: name, in: header).isSigned else { throw SyntheticTrie.Failure() }
    }

    private func verifyTries() throws {
        guard try TrieProof.value(at: contract.path, root: contract.root, nodes: contract.nodes) != nil else {
            throw SyntheticTrie.Failure()
        }
        for slot in slots {
            guard try TrieProof.value(at: slot.path, root: storageRoot, nodes: slot.nodes) != nil else {
                throw SyntheticTrie.Failure()
            }
        }
    }

    func run(seconds: Double) throws {
        let whole = try Program.rate(seconds) { try verifyAll() }
        let tries = try Program.rate(seconds) { try verifyTries() }
        let seals = try Program.rate(seconds) { _ = try blocks[0].cliqueSigner() }
        let nodes = contract.nodes + slots.flatMap(\.nodes)
        Program.answer(
            """
            {"wholePerSecond":\(whole),"triesPerSecond":\(tries),"sealsPerSecond":\(seals),"answerBytes":\(answer.count),\
            "nodes":\(nodes.count),"nodeBytes":\(nodes.reduce(0) { $0 + $1.count })}
            """
        )
    }
}

/// A trie of which only the ways to some keys are there; these part at the root.
private struct SyntheticTrie {
    struct Failure: Error {}

    let root: Word
    /// The nodes on the way to each key.
    let nodes: [[[UInt8]]]

    init(_ entries: [(key: [UInt8], value: [UInt8])], branches: Int, using randomness: inout Randomness) {
        func branch(_ known: [Int: Word]) -> [UInt8] {
            let children = (0..<16).map { RLPValue.word(known[$0] ?? Word(hashing: randomness.bytes(32))) }
            return RLPValue.list(children + [.bytes([])]).encoded
        }
        let paths = entries.map { Word(hashing: $0.key).bytes.flatMap { [Int($0 >> 4), Int($0 & 15)] } }
        var below: [[[UInt8]]] = []
        for (entry, path) in zip(entries, paths) {
            let rest = path[branches...].map { UInt8($0) }
            let prefix: [UInt8] = rest.count.isMultiple(of: 2) ? [2, 0] : [3]
            let halves = prefix + rest
            let packed = stride(from: 0, to: halves.count, by: 2).map { halves[$0] << 4 | halves[$0 + 1] }
            var nodes = [RLPValue.list([.bytes(packed), .bytes(entry.value)]).encoded]
            for level in (1..<branches).reversed() {
                nodes.insert(branch([path[level]: Word(hashing: nodes[0])]), at: 0)
            }
            below.append(nodes)
        }
        var known: [Int: Word] = [:]
        for (nodes, path) in zip(below, paths) { known[path[0]] = Word(hashing: nodes[0]) }
        let top = branch(known)
        root = Word(hashing: top)
        nodes = below.map { [top] + $0 }
    }
}
