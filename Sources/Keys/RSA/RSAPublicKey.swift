/// An RSA public key, parsed once, with the ids that the network knows it by.
///
/// Copies share the parsed key. Two keys are equal when their canonical DER forms are. The key of an authority certificate
/// may be an elliptic one; it verifies signatures and never encrypts (``isRSA``).
/// Source: accounts protocol, "Identifiers"; DHT protocol, "Cryptography".
public struct RSAPublicKey: Sendable {
    /// Sizes accepted from anybody; larger ones would make each check of a signature expensive.
    public static let acceptedBitCounts = 1_024...8_192

    private final class Storage: Sendable {
        let handle: KeyHandle
        let spki: [UInt8]
        let shortID: InfoHash
        let longID: LongID

        init(handle: KeyHandle, spki: [UInt8]) {
            self.handle = handle
            self.spki = spki
            shortID = InfoHash(hashing: spki)
            longID = LongID(hashing: spki)
        }
    }

    private let storage: Storage

    /// Reads a DER SubjectPublicKeyInfo with an RSA key.
    ///
    /// - Throws: `KeyError.malformed` for anything else than exactly one such object, `KeyError.unsupported` for a key of
    ///   another kind or size.
    public init(spki: [UInt8]) throws(KeyError) {
        try self.init(spki: spki, allowingElliptic: false)
    }

    /// Reads the PEM form, `-----BEGIN PUBLIC KEY-----`.
    public init(pem: String) throws(KeyError) {
        guard pem.utf8.count <= 16_384, let blocks = PEM.decode(Array(pem.utf8), label: "PUBLIC KEY", limit: 1),
            let spki = blocks.first
        else { throw .malformed }
        try self.init(spki: spki)
    }

    init(spki: [UInt8], allowingElliptic: Bool) throws(KeyError) {
        switch try SubjectPublicKeyInfo(spki) {
        case .rsa(let modulus, let exponent):
            let bitCount = modulus.count * 8 - modulus[0].leadingZeroBitCount
            guard Self.acceptedBitCounts.contains(bitCount) else { throw .unsupported }
            storage = Storage(
                handle: try KeyHandle.publicKey(modulus: modulus, exponent: exponent),
                spki: SubjectPublicKeyInfo.encode(modulus: modulus, exponent: exponent)
            )
        case .elliptic:
            guard allowingElliptic else { throw .unsupported }
            let handle = try KeyHandle.publicKey(spki: spki)
            storage = Storage(handle: handle, spki: try handle.publicDER())
        }
    }

    /// The canonical DER SubjectPublicKeyInfo.
    public var spki: [UInt8] { storage.spki }

    /// SHA-1 of ``spki``: the account id of an account key, the short device id of a device key.
    public var shortID: InfoHash { storage.shortID }

    /// SHA-256 of ``spki``: the device id of a device key.
    public var longID: LongID { storage.longID }

    /// The size of the modulus (of the curve for an elliptic key), in bits.
    public var bitCount: Int { storage.handle.bitCount }

    /// Whether this is an RSA key, as every key is but those of some authorities.
    public var isRSA: Bool { storage.handle.algorithm == .rsa }

    public var pem: String { PEM.encode(spki, label: "PUBLIC KEY") }

    /// Whether a signature (RSASSA-PKCS1-v1_5) over a message was made with the private half.
    public func isValidSignature(
        _ signature: [UInt8],
        for message: [UInt8],
        digest: SignatureDigest = .sha512
    ) -> Bool {
        storage.handle.isValidSignature(signature, for: message, digest: digest)
    }

    /// Encrypts so that only the holder of the private half can read.
    ///
    /// Short texts become one RSA block; longer ones an RSA block with a random AES-256 key and an AES-GCM box behind it.
    /// Source: DHT protocol, "Hybrid encryption".
    public func encrypt(_ plaintext: [UInt8]) throws(KeyError) -> [UInt8] {
        guard isRSA else { throw .unsupported }
        guard plaintext.count > modulusSize - 11 else { return try storage.handle.encryptBlock(plaintext) }
        let (key, box) = try AuthenticatedBox.sealWithRandomKey(plaintext)
        return try storage.handle.encryptBlock(key) + box
    }

    /// The size of an RSA block in bytes.
    var modulusSize: Int { (bitCount + 7) / 8 }
}

extension RSAPublicKey: Hashable {
    public static func == (left: RSAPublicKey, right: RSAPublicKey) -> Bool {
        left.storage === right.storage || left.storage.longID == right.storage.longID
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(storage.longID)
    }
}
