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

        init(handle: KeyHandle) throws(KeyError) {
            self.handle = handle
            spki = try handle.publicDER()
            shortID = InfoHash(hashing: spki)
            longID = LongID(hashing: spki)
        }
    }

    private let storage: Storage

    init(handle: KeyHandle) throws(KeyError) {
        storage = try Storage(handle: handle)
    }

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
        switch try SubjectPublicKeyInfo.algorithm(of: spki) {
        case .rsa: break
        case .elliptic: guard allowingElliptic else { throw .unsupported }
        }
        let handle = try KeyHandle.publicKey(spki: spki)
        if handle.algorithm == .rsa {
            guard Self.acceptedBitCounts.contains(handle.bitCount) else { throw .unsupported }
        }
        storage = try Storage(handle: handle)
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

/// Tells the algorithm of a key before the bytes reach a library that knows many more algorithms than are wanted.
enum SubjectPublicKeyInfo {
    static let rsaEncryption: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]
    private static let ellipticKey: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]
    private static let curves: Set<[UInt8]> = [
        [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07],
        [0x2B, 0x81, 0x04, 0x00, 0x22],
        [0x2B, 0x81, 0x04, 0x00, 0x23],
    ]

    /// The longest accepted key: an RSA key of 8192 bits with an exponent as long.
    static let maximumSize = 2_200

    static func algorithm(of spki: [UInt8]) throws(KeyError) -> KeyHandle.Algorithm {
        guard spki.count <= maximumSize else { throw .unsupported }
        do {
            var outer = DERReader(spki)
            var info = try outer.enter(DERReader.Tag.sequence)
            try outer.finish()
            var algorithm = try info.enter(DERReader.Tag.sequence)
            let identifier = algorithm.slice(try algorithm.read(DERReader.Tag.objectIdentifier).content)
            if identifier == rsaEncryption { return .rsa }
            guard identifier == ellipticKey, algorithm.nextTag == DERReader.Tag.objectIdentifier else {
                throw KeyError.unsupported
            }
            let curve = algorithm.slice(try algorithm.read(DERReader.Tag.objectIdentifier).content)
            guard curves.contains(curve) else { throw KeyError.unsupported }
            return .elliptic
        } catch let error as KeyError {
            throw error
        } catch {
            throw .malformed
        }
    }
}
