/// An RSA private key with its public half.
///
/// Never described, logged or compared. Copies share the parsed key, which is freed with the last one.
public struct RSAPrivateKey: Sendable {
    private let handle: KeyHandle
    public let publicKey: RSAPublicKey

    private init(handle: KeyHandle) throws(KeyError) {
        guard handle.algorithm == .rsa, RSAPublicKey.acceptedBitCounts.contains(handle.bitCount) else {
            throw .unsupported
        }
        self.handle = handle
        // The public half gets a handle of its own, so that it never keeps secrets alive.
        publicKey = try RSAPublicKey(spki: handle.publicDER())
    }

    /// Reads an unencrypted PEM key: PKCS#8, or the older `RSA PRIVATE KEY`.
    public init(pem: String) throws(KeyError) {
        let text = Array(pem.utf8)
        guard text.count <= 32_768 else { throw .malformed }
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY"] {
            guard let der = PEM.decode(text, label: label, limit: 1)?.first else { continue }
            try self.init(pkcs8: der)
            return
        }
        throw .malformed
    }

    /// Reads a DER PKCS#8 PrivateKeyInfo.
    public init(pkcs8: [UInt8]) throws(KeyError) {
        guard pkcs8.count <= 16_384 else { throw .malformed }
        try self.init(handle: KeyHandle.privateKey(der: pkcs8))
    }

    /// Unencrypted PKCS#8 in PEM; empty only when the library is out of memory.
    public var pem: String { PEM.encode(pkcs8, label: "PRIVATE KEY") }

    /// The DER PKCS#8 PrivateKeyInfo; empty only when the library is out of memory.
    public var pkcs8: [UInt8] { (try? handle.privateDER()) ?? [] }

    /// Signs with RSASSA-PKCS1-v1_5; takes milliseconds.
    public func sign(_ message: [UInt8], digest: SignatureDigest = .sha512) throws(KeyError) -> [UInt8] {
        try handle.sign(message, digest: digest)
    }

    /// Opens what ``RSAPublicKey/encrypt(_:)`` of the public half made.
    ///
    /// A bare RSA block that was not made for this key may give random bytes instead of an error: libraries hide that
    /// difference from attackers. Source: DHT protocol, "Hybrid encryption".
    ///
    /// - Throws: `KeyError.cannotOpen`, whatever is wrong with the box.
    public func decrypt(_ box: [UInt8]) throws(KeyError) -> [UInt8] {
        let size = publicKey.modulusSize
        guard box.count >= size else { throw .cannotOpen }
        let head = try handle.decryptBlock(Array(box[..<size]))
        guard box.count > size else { return head }
        return try AuthenticatedBox.open(Array(box[size...]), key: head)
    }
}
