public import JSON

/// What a node offers as proof of an account and of slots of its storage.
///
/// Source: EIP-1186.
public struct AccountProof: Hashable, Sendable {
    /// The nodes that lead to one slot.
    public struct Slot: Hashable, Sendable {
        public let slot: Word
        public let nodes: [[UInt8]]

        public init(slot: Word, nodes: [[UInt8]]) {
            self.slot = slot
            self.nodes = nodes
        }

        /// What the slot holds, zero where it is proved to hold nothing.
        public func value(storageRoot: Word) throws(ProofError) -> Word {
            let path = Word(hashing: slot.bytes).bytes
            guard let encoded = try TrieProof.value(at: path, root: storageRoot, nodes: nodes) else { return .zero }
            guard let value = try? RLPValue(decoding: encoded).number, !value.isZero else { throw .malformedValue }
            return value
        }
    }

    public let address: Address
    public let nodes: [[UInt8]]
    public let slots: [Slot]

    public init(address: Address, nodes: [[UInt8]], slots: [Slot]) {
        self.address = address
        self.nodes = nodes
        self.slots = slots
    }

    /// A node's answer for these slots, in this order.
    public init?(json: JSONValue, slots expected: [Word]) {
        let members = HexMembers(json)
        guard let address = members.address("address"), let nodes = members.byteStrings("accountProof"),
            let entries = members.array("storageProof"), entries.count == expected.count
        else { return nil }
        var slots: [Slot] = []
        for (slot, entry) in zip(expected, entries) {
            let members = HexMembers(entry)
            // Nodes write a slot as data or as a number.
            guard members.word("key") == slot || members.number("key") == slot,
                let nodes = members.byteStrings("proof")
            else { return nil }
            slots.append(Slot(slot: slot, nodes: nodes))
        }
        self.init(address: address, nodes: nodes, slots: slots)
    }

    /// The account in the state with a root.
    public func account(stateRoot: Word) throws(ProofError) -> ProvedAccount {
        let path = Word(hashing: address.bytes).bytes
        guard let encoded = try TrieProof.value(at: path, root: stateRoot, nodes: nodes) else { throw .noAccount }
        do throws(RLPError) {
            return try ProvedAccount(decoding: encoded)
        } catch {
            throw .malformedValue
        }
    }
}

/// An account as the state holds it.
public struct ProvedAccount: Hashable, Sendable {
    public let nonce: UInt64
    public let balance: Word
    public let storageRoot: Word
    public let codeHash: Word

    init(decoding bytes: [UInt8]) throws(RLPError) {
        let fields = try RLPValue(decoding: bytes).elements
        guard fields.count == 4 else { throw .unexpectedItem }
        nonce = try fields[0].integer(UInt64.self)
        balance = try fields[1].number
        storageRoot = try fields[2].word
        codeHash = try fields[3].word
    }
}
