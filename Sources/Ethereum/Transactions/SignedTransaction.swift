/// A transaction as it is sent to a node.
public struct SignedTransaction: Hashable, Sendable {
    public let transaction: Transaction
    public let signature: Signature
    public let sender: Address
    /// The bytes for the node.
    public let raw: [UInt8]

    /// The hash that the chain knows it by.
    public var hash: Word { Word(hashing: raw) }

    init(_ transaction: Transaction, signature: Signature, sender: Address) {
        self.transaction = transaction
        self.signature = signature
        self.sender = sender
        let numbers: [RLPValue] = [.integer(signature.r), .integer(signature.s)]
        switch transaction.fees {
        case .legacy:
            let v = 35 + 2 * UInt128(transaction.chainID) + UInt128(signature.parity)
            raw = RLPValue.list(transaction.fields + [.integer(v)] + numbers).encoded
        case .market:
            let fields = transaction.fields + [.integer(signature.parity)] + numbers
            raw = [Transaction.marketType] + RLPValue.list(fields).encoded
        }
    }

    /// Reads the bytes for a node and recovers the sender.
    ///
    /// Transactions of other kinds, with access lists, without a chain, or with a high `s` are refused.
    public init(decoding raw: [UInt8]) throws(RLPError) {
        do {
            let (transaction, signature) =
                raw.first == Transaction.marketType
                ? try Self.market(Array(raw.dropFirst())) : try Self.legacy(raw)
            guard signature.isLow else { throw RLPError.unexpectedItem }
            self.init(
                transaction,
                signature: signature,
                sender: try signature.signer(of: transaction.signingHash)
            )
        } catch let error as RLPError {
            throw error
        } catch {
            throw .unexpectedItem
        }
    }

    private static func market(_ bytes: [UInt8]) throws(RLPError) -> (Transaction, Signature) {
        let fields = try RLPValue(decoding: bytes).elements
        guard fields.count == 12, try fields[8].elements.isEmpty,
            let signature = Signature(
                r: try fields[10].number,
                s: try fields[11].number,
                parity: try fields[9].integer(UInt8.self)
            )
        else { throw .unexpectedItem }
        let fees = Transaction.Fees.market(
            maximumPriority: try fields[2].integer(UInt128.self),
            maximum: try fields[3].integer(UInt128.self)
        )
        let transaction = Transaction(
            chainID: try fields[0].integer(UInt64.self),
            nonce: try fields[1].integer(UInt64.self),
            fees: fees,
            gasLimit: try fields[4].integer(UInt64.self),
            to: try destination(fields[5]),
            value: try fields[6].integer(UInt128.self),
            data: try fields[7].bytes
        )
        return (transaction, signature)
    }

    private static func legacy(_ bytes: [UInt8]) throws(RLPError) -> (Transaction, Signature) {
        let fields = try RLPValue(decoding: bytes).elements
        guard fields.count == 9 else { throw .unexpectedItem }
        let v = try fields[6].integer(UInt128.self)
        guard v >= 37, let chainID = UInt64(exactly: (v - 35) / 2),
            let signature = Signature(
                r: try fields[7].number,
                s: try fields[8].number,
                parity: UInt8((v - 35) % 2)
            )
        else { throw .unexpectedItem }
        let transaction = Transaction(
            chainID: chainID,
            nonce: try fields[0].integer(UInt64.self),
            fees: .legacy(gasPrice: try fields[1].integer(UInt128.self)),
            gasLimit: try fields[2].integer(UInt64.self),
            to: try destination(fields[3]),
            value: try fields[4].integer(UInt128.self),
            data: try fields[5].bytes
        )
        return (transaction, signature)
    }

    private static func destination(_ value: RLPValue) throws(RLPError) -> Address? {
        try value.bytes.isEmpty ? nil : value.address
    }
}
