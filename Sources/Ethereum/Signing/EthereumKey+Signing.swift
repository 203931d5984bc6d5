public import Keys

extension EthereumKey {
    /// The address of this key.
    public var account: Address { Address(address) ?? .zero }

    /// Signs a hash, always with the same result (RFC 6979) and with a low `s`.
    public func sign(_ hash: Word) throws(SignatureError) -> Signature {
        try Secp256k1.sign(hash, secret: secret)
    }
}

extension Signature {
    /// The address of the key that signed a hash; a high `s` is accepted, see ``isLow``.
    public func signer(of hash: Word) throws(SignatureError) -> Address {
        let point = try Secp256k1.recover(hash, self)
        guard let address = Word(hashing: point).lastAddress else { throw .invalidSignature }
        return address
    }
}

extension Word {
    /// The last twenty bytes, whatever is in front of them.
    var lastAddress: Address? {
        let (high, low) = halves
        return Word(high: high & 0xFFFF_FFFF, low: low).address
    }
}
