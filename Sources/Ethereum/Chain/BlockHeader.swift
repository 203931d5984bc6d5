/// The header of a block, whose hash is the hash of its encoding.
///
/// Known are the forms from London to Prague; a header with fewer or more fields is refused, since its rules are not known.
/// Source: Ethereum Yellow Paper, section 4.4; EIP-1559, EIP-4895, EIP-4844, EIP-4788, EIP-7685.
public struct BlockHeader: Hashable, Sendable {
    /// The largest encoding that is read; Clique lists its signers in a header of an epoch.
    public static let maximumByteCount = 8_192

    /// The fields that came after London, each fork with those of the ones before.
    public enum Extension: Hashable, Sendable {
        case london
        case shanghai(withdrawalsRoot: Word)
        case cancun(withdrawalsRoot: Word, blobGasUsed: UInt64, excessBlobGas: UInt64, parentBeaconRoot: Word)
        case prague(
            withdrawalsRoot: Word,
            blobGasUsed: UInt64,
            excessBlobGas: UInt64,
            parentBeaconRoot: Word,
            requestsHash: Word
        )
    }

    public var parentHash: Word
    public var ommersHash: Word
    public var beneficiary: Address
    public var stateRoot: Word
    public var transactionsRoot: Word
    public var receiptsRoot: Word
    /// 256 bytes.
    public var logsBloom: [UInt8]
    public var difficulty: Word
    public var number: UInt64
    public var gasLimit: UInt64
    public var gasUsed: UInt64
    /// In seconds since 1970.
    public var timestamp: UInt64
    public var extraData: [UInt8]
    public var mixHash: Word
    /// Eight bytes.
    public var nonce: [UInt8]
    public var baseFee: Word
    public var later: Extension

    static let bloomByteCount = 256
    static let nonceByteCount = 8

    /// Reads an encoding, which must be canonical from its first to its last byte.
    public init(decoding bytes: [UInt8]) throws(RLPError) {
        guard bytes.count <= Self.maximumByteCount else { throw .unexpectedItem }
        let fields = try RLPValue(decoding: bytes).elements
        guard fields.count >= 16 else { throw .unexpectedItem }
        parentHash = try fields[0].word
        ommersHash = try fields[1].word
        beneficiary = try fields[2].address
        stateRoot = try fields[3].word
        transactionsRoot = try fields[4].word
        receiptsRoot = try fields[5].word
        logsBloom = try fields[6].bytes(count: Self.bloomByteCount)
        difficulty = try fields[7].number
        number = try fields[8].integer(UInt64.self)
        gasLimit = try fields[9].integer(UInt64.self)
        gasUsed = try fields[10].integer(UInt64.self)
        timestamp = try fields[11].integer(UInt64.self)
        extraData = try fields[12].bytes
        mixHash = try fields[13].word
        nonce = try fields[14].bytes(count: Self.nonceByteCount)
        baseFee = try fields[15].number
        switch fields.count {
        case 16: later = .london
        case 17: later = .shanghai(withdrawalsRoot: try fields[16].word)
        case 20:
            later = .cancun(
                withdrawalsRoot: try fields[16].word,
                blobGasUsed: try fields[17].integer(UInt64.self),
                excessBlobGas: try fields[18].integer(UInt64.self),
                parentBeaconRoot: try fields[19].word
            )
        case 21:
            later = .prague(
                withdrawalsRoot: try fields[16].word,
                blobGasUsed: try fields[17].integer(UInt64.self),
                excessBlobGas: try fields[18].integer(UInt64.self),
                parentBeaconRoot: try fields[19].word,
                requestsHash: try fields[20].word
            )
        default: throw .unexpectedItem
        }
    }

    public var encoded: [UInt8] { RLPValue.list(fields).encoded }
    public var hash: Word { Word(hashing: encoded) }

    private var fields: [RLPValue] {
        [
            .word(parentHash), .word(ommersHash), .address(beneficiary), .word(stateRoot), .word(transactionsRoot),
            .word(receiptsRoot), .bytes(logsBloom), .integer(difficulty), .integer(number), .integer(gasLimit),
            .integer(gasUsed), .integer(timestamp), .bytes(extraData), .word(mixHash), .bytes(nonce),
            .integer(baseFee),
        ] + later.fields
    }
}

extension BlockHeader.Extension {
    fileprivate var fields: [RLPValue] {
        switch self {
        case .london: []
        case .shanghai(let withdrawalsRoot): [.word(withdrawalsRoot)]
        case .cancun(let withdrawalsRoot, let used, let excess, let beacon):
            [.word(withdrawalsRoot), .integer(used), .integer(excess), .word(beacon)]
        case .prague(let withdrawalsRoot, let used, let excess, let beacon, let requests):
            [.word(withdrawalsRoot), .integer(used), .integer(excess), .word(beacon), .word(requests)]
        }
    }
}
