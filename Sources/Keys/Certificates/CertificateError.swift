/// Why bytes are not a certificate, or a chain does not hold together.
public enum CertificateError: Error, Equatable, Sendable {
    /// Not one X.509 certificate in DER, or not PEM.
    case malformed
    /// More bytes or more certificates than ``CertificateLimits`` allows.
    case tooLarge
    /// A key that is neither RSA nor, for an authority, on a NIST curve.
    case unsupportedKey
    /// No certificate in the text.
    case empty
    /// A device certificate that nobody issued.
    case noIssuer
    /// The certificate at this place (0 is the leaf) does not name the next one as its issuer.
    case wrongIssuerName(at: Int)
    /// The signature on the certificate at this place is not the issuer's.
    case wrongSignature(at: Int)
    /// A digest or a key at this place is too weak.
    case weakAlgorithm(at: Int)
    case notYetValid(at: Int)
    case expired(at: Int)
    /// The certificate at this place issued another one without being an authority.
    case notAuthority(at: Int)
    /// The issuer of the certificate at this place has revoked it.
    case revoked(at: Int)
}

/// What a reader of certificates accepts at most.
public enum CertificateLimits {
    /// Bytes of one certificate in DER.
    public static let certificateSize = 16_384
    /// Certificates in one chain.
    public static let chainCount = 8
    /// Bytes of the text of one chain.
    public static let chainSize = 65_536
    /// Bytes of one revocation list in DER; as much as a value of the DHT can hold.
    public static let revocationListSize = 65_536
}
