public import Keys

/// What an account asks a chain to do.
///
/// Amounts are in wei.
public struct Transaction: Hashable, Sendable {
    /// What is paid for each unit of gas.
    public enum Fees: Hashable, Sendable {
        /// One price, for chains before London. Source: EIP-155.
        case legacy(gasPrice: UInt128)
        /// A tip for the block's author and a cap with the base fee included. Source: EIP-1559.
        case market(maximumPriority: UInt128, maximum: UInt128)
    }

    public var chainID: UInt64
    public var nonce: UInt64
    public var fees: Fees
    public var gasLimit: UInt64
    /// `nil` makes a contract of ``data``.
    public var to: Address?
    public var value: UInt128
    public var data: [UInt8]

    public init(
        chainID: UInt64,
        nonce: UInt64,
        fees: Fees,
        gasLimit: UInt64,
        to: Address?,
        value: UInt128 = 0,
        data: [UInt8]
    ) {
        self.chainID = chainID
        self.nonce = nonce
        self.fees = fees
        self.gasLimit = gasLimit
        self.to = to
        self.value = value
        self.data = data
    }

    /// The hash that the sender signs.
    public var signingHash: Word {
        switch fees {
        case .legacy:
            let replay: [RLPValue] = [.integer(chainID), .bytes([]), .bytes([])]
            return Word(hashing: RLPValue.list(fields + replay).encoded)
        case .market:
            return Word(hashing: [Self.marketType] + RLPValue.list(fields).encoded)
        }
    }

    public func signed(by key: EthereumKey) throws(SignatureError) -> SignedTransaction {
        SignedTransaction(self, signature: try key.sign(signingHash), sender: key.account)
    }

    static let marketType: UInt8 = 2

    /// What is signed, but for the end of the legacy form.
    var fields: [RLPValue] {
        let destination = RLPValue.bytes(to?.bytes ?? [])
        switch fees {
        case .legacy(let gasPrice):
            return [
                .integer(nonce), .integer(gasPrice), .integer(gasLimit), destination, .integer(value), .bytes(data),
            ]
        case .market(let priority, let maximum):
            return [
                .integer(chainID), .integer(nonce), .integer(priority), .integer(maximum), .integer(gasLimit),
                destination, .integer(value), .bytes(data), .list([]),
            ]
        }
    }
}
