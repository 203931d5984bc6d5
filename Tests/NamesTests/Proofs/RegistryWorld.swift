import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import Names
import TestSupport
import Testing

/// A registry on a Clique chain of five signers, and a server's honest answers about it.
struct RegistryWorld {
    static let chain: UInt64 = 1551

    let captured: CapturedRegistration
    let store: Address
    let signers: [EthereumKey]
    let genesis: BlockHeader
    /// When the newest final block is made, in seconds.
    let now: Int64
    private(set) var storage: [[UInt8]: [UInt8]] = [:]

    init(now: Int64 = 1_700_000_000) throws {
        captured = try CapturedRegistration()
        store = Address(InfoHash(hashing: "store"))
        self.now = now
        signers = try (1...5).map { try EthereumKey(secret: Array(repeating: UInt8($0), count: 32)) }
            .sorted { $0.account < $1.account }
        let vector = try JSONVector(file: "jns-clique", in: Bundle.module)
        var genesis = try BlockHeader(decoding: try #require(HexText.bytes(vector["genesisRlp"].text)))
        genesis.timestamp = UInt64(now - 86_400)
        genesis.extraData =
            Array(repeating: 0, count: 32) + signers.flatMap(\.account.bytes)
            + Array(repeating: 0, count: 65)
        self.genesis = genesis
        // Other names, so that the trie has branches and the paths of absent ones end in them.
        for number in 0..<40 {
            let owner = Address(InfoHash(hashing: "owner \(number)"))
            set(RegistryLayout.owner(of: try name("name-\(number)")), Word(owner))
        }
    }

    var trust: NameTrust {
        get throws {
            NameTrust(
                chain: Self.chain,
                store: store,
                rule: .clique(try CliqueTrust(checkpoint: genesis)),
                freshness: .proofOfAuthority
            )
        }
    }

    // MARK: State

    mutating func set(_ key: StoreKey, _ value: Word) {
        storage[key.slot.bytes] = value.isZero ? nil : RLPValue.integer(value).encoded
    }

    /// Registers a name for the captured account.
    mutating func register(_ name: Name, signed: Bool = true) throws {
        set(RegistryLayout.owner(of: name), Word(Address(InfoHash(hashing: "the owner"))))
        set(RegistryLayout.account(of: name), Word(Address(captured.account)))
        let evidence = try NameEvidence.sign(name, with: captured.key)
        set(RegistryLayout.evidence(of: name), signed ? evidence.digest : .zero)
        set(RegistryLayout.name(of: captured.account), name.word)
    }

    private var storageTrie: TrieBuilder? { TrieBuilder(hashing: storage) }

    private var stateTrie: TrieBuilder? {
        let account = RLPValue.list([
            .integer(1 as UInt64), .bytes([]), .word(TrieBuilder.root(of: storageTrie)), .word(Word(hashing: [1])),
        ])
        return TrieBuilder(hashing: [store.bytes: account.encoded, [1]: [0xC0], [2]: [0xC0]])
    }

    // MARK: Blocks

    /// A block with this state, and its descendants.
    func blocks(number: UInt64 = 1_000, age: Int64 = 20, count: Int = 5) throws -> [BlockHeader] {
        var blocks: [BlockHeader] = []
        for offset in 0..<UInt64(count) {
            var block = genesis
            block.number = number + offset
            block.parentHash = blocks.last?.hash ?? Word(hashing: [9])
            block.stateRoot = TrieBuilder.root(of: stateTrie)
            block.timestamp = UInt64(now - age) + offset * 2
            blocks.append(try sealed(block, by: signers[Int(block.number % 5)], difficulty: 2))
        }
        return blocks
    }

    func sealed(_ block: BlockHeader, by key: EthereumKey, difficulty: UInt64) throws -> BlockHeader {
        var block = block
        block.difficulty = Word(difficulty)
        block.extraData = Array(repeating: 0, count: 97)
        let signature = try key.sign(try block.cliqueSealHash())
        block.extraData = Array(repeating: 0, count: 32) + signature.bytes
        return block
    }

    // MARK: Answers

    /// An honest answer with proof.
    func proof(of name: Name, blocks: [BlockHeader]? = nil, evidence: NameEvidence? = nil) throws -> JSONValue {
        let isRegistered = storage[RegistryLayout.account(of: name).slot.bytes] != nil
        var answer: [String: JSONValue] = ["name": .string(name.text), "registered": .boolean(isRegistered)]
        if isRegistered {
            answer["addr"] = .string("0x" + captured.account.hex)
            answer["owner"] = .string(Address(InfoHash(hashing: "the owner")).hex)
            if storage[RegistryLayout.evidence(of: name).slot.bytes] != nil {
                let shown = try evidence ?? NameEvidence.sign(name, with: captured.key)
                answer["publicKey"] = .string(Data(shown.publicKey).base64EncodedString())
                answer["signature"] = .string(shown.signatureText)
            }
        }
        answer["proof"] = try proofMember(
            blocks ?? self.blocks(),
            slots: [
                ("owner", RegistryLayout.owner(of: name)), ("addr", RegistryLayout.account(of: name)),
                ("evidence", RegistryLayout.evidence(of: name)),
            ]
        )
        return .object(answer)
    }

    /// An honest answer with proof about the captured account.
    func proofOfAccount(name: Name?) throws -> JSONValue {
        var answer: [String: JSONValue] = try name.map { try proof(of: $0).object ?? [:] } ?? ["registered": false]
        var slots = [("reverse", RegistryLayout.name(of: captured.account))]
        if let name {
            slots += [
                ("owner", RegistryLayout.owner(of: name)), ("addr", RegistryLayout.account(of: name)),
                ("evidence", RegistryLayout.evidence(of: name)),
            ]
        }
        answer["proof"] = try proofMember(try blocks(), slots: slots)
        return .object(answer)
    }

    private func proofMember(_ blocks: [BlockHeader], slots: [(String, StoreKey)]) throws -> JSONValue {
        let storageTrie = storageTrie
        return .object([
            "chainId": .string(HexText.quantity(Self.chain)),
            "store": .string(store.hex),
            "header": .string(HexText.data(blocks[0].encoded)),
            "anchors": .object([
                "kind": "clique", "headers": .array(blocks.dropFirst().map { .string(HexText.data($0.encoded)) }),
                "checkpoints": [],
            ]),
            "account": Self.nodes(TrieBuilder.proof(of: store.bytes, in: stateTrie)),
            "slots": .array(
                slots.map { field, key in
                    .object([
                        "field": .string(field), "key": .string(key.slot.hex),
                        "proof": Self.nodes(TrieBuilder.proof(of: key.slot.bytes, in: storageTrie)),
                    ])
                }
            ),
        ])
    }

    static func nodes(_ nodes: [[UInt8]]) -> JSONValue {
        .array(nodes.map { .string(HexText.data($0)) })
    }
}
