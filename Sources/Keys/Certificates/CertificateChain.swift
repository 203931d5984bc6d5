public import Runtime

/// Certificates of which each is issued by the next: device, account, authority.
///
/// Reading checks only the form; ``verify(at:)`` checks that the chain holds together.
public struct CertificateChain: Sendable, Hashable {
    /// At least one, leaf first.
    public let certificates: [Certificate]

    /// A chain of certificates, leaf first.
    ///
    /// - Precondition: not empty.
    public init(_ certificates: [Certificate]) {
        precondition(!certificates.isEmpty, "A chain has at least one certificate")
        self.certificates = certificates
    }

    /// Reads concatenated PEM certificates, leaf first, or one bare certificate in DER.
    ///
    /// Bytes outside the PEM blocks are skipped, such as the header of a MessagePack binary around them.
    ///
    /// - Throws: `CertificateError.tooLarge`, `.empty`, `.malformed` or `.unsupportedKey`.
    public init(pem: [UInt8]) throws(CertificateError) {
        guard pem.count <= CertificateLimits.chainSize else { throw .tooLarge }
        guard let blocks = PEM.decode(pem, label: "CERTIFICATE", limit: CertificateLimits.chainCount + 1) else {
            throw .malformed
        }
        guard blocks.count <= CertificateLimits.chainCount else { throw .tooLarge }
        var certificates: [Certificate] = []
        if blocks.isEmpty {
            guard pem.first == DERReader.Tag.sequence else { throw .empty }
            certificates = [try Certificate(der: pem)]
        }
        for block in blocks { certificates.append(try Certificate(der: block)) }
        guard let leaf = certificates.first, leaf.publicKey.isRSA else { throw .unsupportedKey }
        self.certificates = certificates
    }

    public init(pem: String) throws(CertificateError) {
        try self.init(pem: Array(pem.utf8))
    }

    public var leaf: Certificate { certificates[0] }

    /// The direct issuer of the leaf: for a device, the account.
    public var issuer: Certificate? { certificates.count > 1 ? certificates[1] : nil }

    public var pem: String { certificates.map(\.pem).joined() }

    /// The short id of the direct issuer; only ``verify(at:)`` makes it a proof.
    public var accountID: InfoHash? { issuer?.publicKey.shortID }

    /// The long id of the leaf's key.
    public var deviceID: LongID { leaf.publicKey.longID }

    /// The short id of the leaf's key.
    public var shortDeviceID: InfoHash { leaf.publicKey.shortID }

    /// Checks that the chain holds together, with its last certificate as the only one that is trusted.
    ///
    /// Names and signatures from the leaf up to the top, which signs itself; dates; authority of every issuer; strength of
    /// keys (RSA of 2048 bits) and digests (no SHA-1). Anybody can make such a chain: it binds a device to an account, and
    /// says nothing about who they are. Source: accounts protocol, "Peer certificate rule".
    ///
    /// - Parameters:
    ///   - now: the time that every certificate must be valid at.
    ///   - revocations: lists of whatever origin; those that an issuer in the chain has signed count, however old.
    /// - Throws: the first condition that does not hold.
    public func verify(at now: WallTime, revocations: [RevocationList] = []) throws(CertificateError) {
        guard certificates.count > 1 else { throw .noIssuer }
        guard certificates.count <= CertificateLimits.chainCount else { throw .tooLarge }
        for (place, certificate) in certificates.enumerated() {
            let isTop = place == certificates.count - 1
            guard certificate.notBefore <= now else { throw .notYetValid(at: place) }
            guard now <= certificate.notAfter else { throw .expired(at: place) }
            let minimum = certificate.publicKey.isRSA ? 2_048 : 256
            guard certificate.publicKey.bitCount >= minimum else { throw .weakAlgorithm(at: place) }
            if place > 0 {
                // Of the certificates below, all but the leaf are authorities and count for the limit.
                guard certificate.isAuthority, place - 1 <= certificate.pathLimit ?? .max else {
                    throw .notAuthority(at: place)
                }
            }
            let issuer = isTop ? certificate : certificates[place + 1]
            guard certificate.issuer == issuer.subject else { throw .wrongIssuerName(at: place) }
            guard certificate.signatureAlgorithm != nil else { throw .weakAlgorithm(at: place) }
            guard certificate.hasValidSignature(of: issuer.publicKey) else { throw .wrongSignature(at: place) }
            let isRevoked = revocations.contains { $0.revokes(certificate) && $0.isSigned(by: issuer) }
            guard !isRevoked else { throw .revoked(at: place) }
        }
    }
}
