/// The parts of structured data that people and contracts sign.
///
/// Source: EIP-712.
public enum TypedData {
    /// What keeps a signature for one contract on one chain from being used at another.
    public struct Domain: Hashable, Sendable {
        public let name: String
        public let version: String
        public let chainID: UInt64
        public let verifyingContract: Address

        public init(name: String, version: String, chainID: UInt64, verifyingContract: Address) {
            self.name = name
            self.version = version
            self.chainID = chainID
            self.verifyingContract = verifyingContract
        }

        public var separator: Word {
            TypedData.structHash(
                "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
                [.text(name), .text(version), .word(Word(chainID)), .word(Word(verifyingContract))]
            )
        }
    }

    /// A member of a structure as it enters the structure's hash.
    public enum Member: Hashable, Sendable {
        /// A number, a boolean, an address, fixed bytes, or the hash of an array or another structure.
        case word(Word)
        case bytes([UInt8])
        case text(String)

        var hashed: Word {
            switch self {
            case .word(let word): word
            case .bytes(let bytes): Word(hashing: bytes)
            case .text(let text): Word(hashing: Array(text.utf8))
            }
        }
    }

    /// The hash of a structure whose type is given as EIP-712 encodes it, referenced types at the end.
    public static func structHash(_ type: String, _ members: [Member]) -> Word {
        Word(hashing: Word(hashing: Array(type.utf8)).bytes + members.flatMap { $0.hashed.bytes })
    }

    /// The hash that is signed.
    public static func digest(domain separator: Word, message: Word) -> Word {
        Word(hashing: [0x19, 0x01] + separator.bytes + message.bytes)
    }
}
