import JSON
import Keys
import TestSupport
import Testing

@testable import Ethereum

@Suite struct TrieProofTests {
    private static let trie = Vectors.proof["trie"].elements

    @Test(arguments: trie.indices)
    func `values and absences are those of the vectors`(index: Int) throws {
        let vector = Self.trie[index]
        let value = try TrieProof.value(
            at: vector["path"].hex,
            root: vector["root"].word,
            nodes: vector["proof"].byteStrings
        )
        #expect(value == (vector["value"].isPresent ? vector["value"].hex : nil))
    }

    @Test(arguments: trie.indices)
    func `a proof that was cut off proves nothing`(index: Int) {
        let vector = Self.trie[index]
        let nodes = vector["proof"].byteStrings
        for count in 0..<nodes.count {
            #expect(throws: ProofError.truncated) {
                try TrieProof.value(
                    at: vector["path"].hex,
                    root: vector["root"].word,
                    nodes: Array(nodes.prefix(count))
                )
            }
        }
    }

    @Test func `surplus, large and many nodes are refused`() throws {
        let vector = try #require(Self.trie.first)
        let path = vector["path"].hex
        let root = vector["root"].word
        let nodes = vector["proof"].byteStrings
        func error(_ nodes: [[UInt8]]) -> ProofError? {
            do throws(ProofError) {
                _ = try TrieProof.value(at: path, root: root, nodes: nodes)
                return nil
            } catch {
                return error
            }
        }
        // Shorter ones are embedded nodes that some nodes list once more.
        #expect(error(nodes + [[0x80]]) == nil)
        #expect(error(nodes + [nodes[0]]) == .surplusNodes)
        #expect(error(nodes.reversed()) == .otherHash)
        #expect(error([Array(repeating: 0, count: TrieProof.maximumNodeByteCount + 1)]) == .tooLarge)
        #expect(error([Array(repeating: 0, count: TrieProof.maximumNodeByteCount)]) == .otherHash)
        #expect(error(Array(repeating: nodes[0], count: TrieProof.maximumNodeCount + 1)) == .tooLarge)
    }

    /// A trie of one node that nobody would write.
    @Test(arguments: [
        "", "80", "c0", "c180", "c3808080", "d1" + String(repeating: "80", count: 17), "c22080", "c24001", "c22101",
        "c28001",
        "c3820001", "c100", "f8", "c2c001", "c220c0", "c21101", "c4820031c0",
    ])
    func `malformed nodes are refused`(hex: String) {
        let node = Hex.bytes(hex)
        // A branch of 17 empty items is well-formed and holds nothing.
        guard node.count != 18 else {
            #expect(throws: Never.self) { try TrieProof.value(at: [1], root: Word(hashing: node), nodes: [node]) }
            return
        }
        let error = #expect(throws: ProofError.self) {
            try TrieProof.value(at: [0x31], root: Word(hashing: node), nodes: [node])
        }
        #expect(error == .malformedNode)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `looking up is total, and damaged nodes prove nothing`(seed: UInt64) {
        var mutations = ByteMutations(seed: seed)
        for round in 0..<1_000 {
            let vector = Self.trie[round % Self.trie.count]
            var nodes = vector["proof"].byteStrings
            guard let last = nodes.popLast() else { continue }
            let damaged = mutations.next(of: last)
            // Under the right root.
            if damaged != last {
                #expect(throws: ProofError.self) {
                    try TrieProof.value(at: vector["path"].hex, root: vector["root"].word, nodes: nodes + [damaged])
                }
            }
            // Under its own, so that it is read.
            _ = try? TrieProof.value(at: vector["path"].hex, root: Word(hashing: damaged), nodes: [damaged])
        }
    }
}

@Suite struct AccountProofTests {
    private static let vector = Vectors.proof

    private static func proof() throws -> AccountProof {
        let slots = vector["proof"]["storageProof"].elements.map(\.["key"].word)
        let json = try #require(JSONValue(vector["proof"].content))
        return try #require(AccountProof(json: json, slots: slots))
    }

    @Test func `a header's state proves the account, and the account its slots`() throws {
        let header = try BlockHeader(decoding: Self.vector["headerRlp"].hex)
        #expect(header.stateRoot == Self.vector["stateRoot"].word)
        let proof = try Self.proof()
        let account = try proof.account(stateRoot: header.stateRoot)
        #expect(account.storageRoot == Self.vector["proof"]["storageHash"].word)
        #expect(account.codeHash == Self.vector["proof"]["codeHash"].word)
        #expect(account.nonce == 1)
        for (slot, expected) in zip(proof.slots, Self.vector["proof"]["storageProof"].elements) {
            let value = try slot.value(storageRoot: account.storageRoot)
            #expect(
                HexText.quantity(value)
                    == HexText.quantity(HexText.word(expected["value"].text) ?? expected["value"].word)
            )
        }
        #expect(throws: ProofError.otherHash) { try proof.account(stateRoot: .zero) }
        let other = AccountProof(address: .zero, nodes: proof.nodes, slots: [])
        #expect(throws: ProofError.self) { try other.account(stateRoot: header.stateRoot) }
    }

    @Test(arguments: vector["invalidStorageProofs"].elements.indices)
    func `false proofs are refused`(index: Int) {
        let vector = Self.vector["invalidStorageProofs"][index]
        let slot = AccountProof.Slot(slot: vector["key"].word, nodes: vector["proof"].byteStrings)
        let value = try? slot.value(storageRoot: Self.vector["proof"]["storageHash"].word)
        #expect(value == nil || value != HexText.word(vector["value"].text), "\(vector["why"].text)")
    }

    @Test func `answers for other slots are refused`() throws {
        let json = try #require(JSONValue(Self.vector["proof"].content))
        let slots = Self.vector["proof"]["storageProof"].elements.map(\.["key"].word)
        #expect(AccountProof(json: json, slots: slots.reversed()) == nil)
        #expect(AccountProof(json: json, slots: Array(slots.dropLast())) == nil)
        #expect(AccountProof(json: [:], slots: []) == nil)
    }

    @Test func `an account is four fields`() {
        let word = RLPValue.word(.zero)
        for fields in [[], [word], [.integer(1 as UInt8), .integer(0 as UInt8), word]] as [[RLPValue]] {
            #expect(throws: RLPError.unexpectedItem) { try ProvedAccount(decoding: RLPValue.list(fields).encoded) }
        }
    }
}

@Suite struct BlockHeaderTests {
    private static let encoded = Vectors.proof["headerRlp"].hex

    @Test func `a header is read, written and hashed`() throws {
        let header = try BlockHeader(decoding: Self.encoded)
        #expect(header.encoded == Self.encoded)
        #expect(header.hash == Vectors.proof["blockHash"].word)
    }

    @Test(arguments: [0, 1, 15, 16, 17, 18, 19, 20, 21, 22])
    func `only the counts of known forks are headers`(count: Int) throws {
        let fields = try RLPValue(decoding: Self.encoded).elements
        let changed = Array((fields + [.word(.zero)]).prefix(count))
        let header = try? BlockHeader(decoding: RLPValue.list(changed).encoded)
        #expect((header != nil) == [16, 17, 20, 21].contains(count))
        #expect(header.map(\.encoded) ?? RLPValue.list(changed).encoded == RLPValue.list(changed).encoded)
    }

    @Test func `each field must have its form`() throws {
        let fields = try RLPValue(decoding: Self.encoded).elements
        for index in fields.indices {
            var changed = fields
            changed[index] = .list([])
            #expect(throws: RLPError.self) { try BlockHeader(decoding: RLPValue.list(changed).encoded) }
            // Extra data may be anything.
            guard index != 12 else { continue }
            changed[index] = .bytes(Array(repeating: 0, count: 33))
            #expect(throws: RLPError.self) { try BlockHeader(decoding: RLPValue.list(changed).encoded) }
        }
        var large = fields
        large[12] = .bytes(Array(repeating: 1, count: BlockHeader.maximumByteCount))
        #expect(throws: RLPError.self) { try BlockHeader(decoding: RLPValue.list(large).encoded) }
    }

    @Test(arguments: [16, 17, 20, 21])
    func `a node's block gives the header that its hash is of`(count: Int) throws {
        let fields = try RLPValue(decoding: Self.encoded).elements
        let header = try BlockHeader(decoding: RLPValue.list(Array(fields.prefix(count))).encoded)
        let block = ScriptedBlock.json(header)
        #expect(BlockHeader(json: block) == header)
        for name in try #require(block.object?.keys) where !["hash", "transactions"].contains(name) {
            var members = try #require(block.object)
            members[name] = "nonsense"
            #expect(BlockHeader(json: .object(members)) == nil)
        }
    }

    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func `reading is total`(seed: UInt64) {
        var mutations = ByteMutations(seed: seed)
        for _ in 0..<2_000 {
            let bytes = mutations.next(of: Self.encoded)
            guard let header = try? BlockHeader(decoding: bytes) else { continue }
            #expect(header.encoded == bytes)
        }
    }
}
