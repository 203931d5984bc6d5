package import Keys

/// Opens and seals values with the key of a node.
///
/// Every call blocks for up to some milliseconds.
///
/// Source: DHT protocol, "Secure layer".
package struct ValueVault: Sendable {
    private let key: RSAPrivateKey?
    private let signers = SignerKeys()

    package init(key: RSAPrivateKey?) {
        self.key = key
    }

    /// The value if it can be trusted to be what it says; `nil` for a bad signature or a value sealed for others.
    package func open(_ value: Value) -> OpenedValue? {
        if value.isEncrypted { return unseal(value) }
        guard value.owner != nil else { return OpenedValue(value: value, signer: nil, wasEncrypted: false) }
        guard let signer = signer(of: value) else { return nil }
        return OpenedValue(value: value, signer: signer, wasEncrypted: false)
    }

    private func unseal(_ sealed: Value) -> OpenedValue? {
        guard let key, let plaintext = try? key.decrypt(sealed.cypher),
            let value = try? Value(opening: plaintext, of: sealed),
            // A value that somebody passes on was sealed for another reader.
            value.recipient == key.publicKey.shortID, let signer = signer(of: value)
        else { return nil }
        return OpenedValue(value: value, signer: signer, wasEncrypted: true)
    }

    private func signer(of value: Value) -> RSAPublicKey? {
        guard value.isSigned, let owner = value.owner, let key = signers.key(owner),
            key.isValidSignature(value.signature, for: value.signedBytes, digest: .sha512)
        else { return nil }
        return key
    }

    /// The value with our signature.
    package func sign(_ value: Value) throws(KeyError) -> Value? {
        guard let key else { return nil }
        var signed = value
        signed.owner = key.publicKey.spki
        signed.cypher = []
        signed.signature = try key.sign(signed.signedBytes, digest: .sha512)
        return signed
    }

    /// The value signed by us and sealed for a reader.
    package func seal(_ value: Value, for reader: RSAPublicKey) throws(KeyError) -> Value? {
        var addressed = value
        addressed.recipient = reader.shortID
        guard let signed = try sign(addressed) else { return nil }
        return Value(
            id: value.id,
            cypher: try reader.encrypt(signed.sealableBytes),
            priority: value.priority,
            pushType: value.pushType
        )
    }
}
