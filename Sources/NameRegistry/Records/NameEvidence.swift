public import Ethereum
public import Keys

/// What proves that an account asked for a name: its public key, and its signature over the name.
///
/// Source: names protocol, "Identifiers and encodings".
public struct NameEvidence: Hashable, Sendable {
    /// The canonical DER SubjectPublicKeyInfo.
    public let publicKey: [UInt8]
    /// RSASSA-PKCS1-v1_5 with SHA-512 over the bytes of the canonical name.
    public let signature: [UInt8]

    /// Sizes that registrations are accepted with, in bits.
    public static let acceptedBitCounts = 2_048...8_192
    /// The size of each of both in a contract's call, in bytes.
    public static let maximumByteCount = 1_024

    public init(publicKey: [UInt8], signature: [UInt8]) {
        self.publicKey = publicKey
        self.signature = signature
    }

    /// Reads the two texts of the legacy API: base64 of a PEM text or of DER, and base64 of a signature.
    ///
    /// Zero bytes behind the PEM text are skipped, and the key is brought to its canonical form.
    public init(publicKeyText: String, signatureText: String) throws(NameEvidenceError) {
        guard let signature = Base64.decode(signatureText), !signature.isEmpty else { throw .malformedSignature }
        guard var key = Base64.decode(publicKeyText) else { throw .malformedKey }
        while key.last == 0 { key.removeLast() }
        do {
            let parsed =
                key.first == 0x30
                ? try RSAPublicKey(spki: key) : try RSAPublicKey(pem: String(decoding: key, as: UTF8.self))
            self.init(publicKey: parsed.spki, signature: signature)
        } catch {
            throw .malformedKey
        }
    }

    /// The digest that a contract holds: `keccak256(keccak256(key) ‖ keccak256(signature))`.
    public var digest: Word {
        Word(hashing: Keccak256.hash(publicKey) + Keccak256.hash(signature))
    }

    /// The account that the key belongs to.
    public var account: InfoHash { InfoHash(hashing: publicKey) }

    /// The text of the legacy API: base64 of the PEM text.
    public var publicKeyText: String {
        Base64.encode(Array(PEM.encode(publicKey, label: "PUBLIC KEY").utf8))
    }

    public var signatureText: String { Base64.encode(signature) }

    /// Whether this key is an account's and signed a name.
    ///
    /// Costs a check of an RSA signature, about 0.1 ms for a key of 4096 bits.
    public func verify(_ name: Name, of account: InfoHash) throws(NameEvidenceError) {
        guard self.account == account else { throw .otherAccount }
        guard let key = try? RSAPublicKey(spki: publicKey), key.spki == publicKey else { throw .malformedKey }
        guard Self.acceptedBitCounts.contains(key.bitCount) else { throw .keySize(bits: key.bitCount) }
        guard key.isValidSignature(signature, for: Array(name.text.utf8)) else { throw .wrongSignature }
    }

    /// Signs a name with the key of an account.
    public static func sign(_ name: Name, with key: RSAPrivateKey) throws(KeyError) -> NameEvidence {
        NameEvidence(publicKey: key.publicKey.spki, signature: try key.sign(Array(name.text.utf8)))
    }
}

/// Why evidence does not prove a registration.
public enum NameEvidenceError: Error, Hashable, Sendable {
    /// The key is no base64 of a PEM or DER public RSA key.
    case malformedKey
    case malformedSignature
    /// The key has a size outside ``NameEvidence/acceptedBitCounts``.
    case keySize(bits: Int)
    /// The key is that of another account.
    case otherAccount
    /// The signature is not that key's over this name.
    case wrongSignature
}
