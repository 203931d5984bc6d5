public import Ethereum
public import Keys

/// Where a registry's contract keeps what, so that a proof of a slot can be asked for and checked by anybody.
///
/// Source: names protocol, "Storage layout" and "Keys in the store".
public enum RegistryLayout {
    /// The slot of the address that may write.
    public static let logicSlot = Word.zero

    public static func owner(of name: Name) -> StoreKey { StoreKey(.address, .owner, name.word) }
    public static func account(of name: Name) -> StoreKey { StoreKey(.address, .account, name.word) }
    public static func evidence(of name: Name) -> StoreKey { StoreKey(.bytes32, .evidence, name.word) }
    public static func nonce(of name: Name) -> StoreKey { StoreKey(.integer, .nonce, name.word) }
    public static func name(of account: InfoHash) -> StoreKey { StoreKey(.bytes32, .reverse, Word(Address(account))) }
    public static func isRegistrar(_ address: Address) -> StoreKey { StoreKey(.boolean, .registrar, Word(address)) }
    public static func commitmentTime(_ commitment: Word) -> StoreKey { StoreKey(.integer, .commitment, commitment) }

    public static let sequence = StoreKey(.integer, .sequence)
    public static let journal = StoreKey(.bytes32, .journal)
    public static let mode = StoreKey(.integer, .mode)
    public static let importOpen = StoreKey(.integer, .importOpen)
}

/// A key of one of the store's mappings, and the slot that it lies in.
public struct StoreKey: Hashable, Sendable {
    /// The mappings by the slot that they are declared at.
    public enum Mapping: UInt64, Sendable {
        case boolean = 1
        case integer = 2
        case signedInteger = 3
        case address = 4
        case bytes32 = 5
        case bytes = 6
        case string = 7
    }

    /// What a key is for, a part of the hash that makes it.
    public enum Tag: String, Sendable, CaseIterable {
        case owner
        case account = "addr"
        case evidence
        case reverse
        case nonce
        case registrar
        case commitment = "commit"
        case sequence = "seq"
        case journal
        case mode
        case importOpen = "import"

        public var word: Word { Word(hashing: Array("jns.v1.\(rawValue)".utf8)) }
    }

    public let mapping: Mapping
    public let key: Word

    init(_ mapping: Mapping, _ tag: Tag, _ subject: Word? = nil) {
        self.mapping = mapping
        key = subject.map { Word(hashing: tag.word.bytes + $0.bytes) } ?? tag.word
    }

    /// The slot: a Vyper mapping hashes its own slot before the key.
    public var slot: Word {
        Word(hashing: Word(mapping.rawValue).bytes + key.bytes)
    }
}
