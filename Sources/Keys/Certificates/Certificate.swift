public import Runtime

/// An X.509 certificate as Jami devices, accounts and authorities have them.
///
/// The reader is more tolerant than the standard asks: half of the certificates in use have negative serial numbers, and
/// device certificates have no extensions at all. The original bytes are kept. Source: accounts protocol, "Keys and
/// certificates"; RFC 5280.
public struct Certificate: Sendable {
    /// The bytes as they were read.
    public let der: [UInt8]
    public let publicKey: RSAPublicKey
    public let subject: DistinguishedName
    public let issuer: DistinguishedName
    /// The content octets of the serial number as they stand, often eight and maybe negative.
    public let serial: [UInt8]
    public let notBefore: WallTime
    public let notAfter: WallTime
    /// Whether the certificate may issue others: basicConstraints says so, and keyUsage is there and does not forbid it.
    public let isAuthority: Bool
    /// How many authorities may stand below, if the certificate limits that.
    let pathLimit: Int?

    private let signedRange: Range<Int>
    private let signature: [UInt8]
    let signatureAlgorithm: SignatureAlgorithm?

    /// Reads exactly one certificate in DER.
    ///
    /// - Throws: `CertificateError.malformed`, `.tooLarge` or `.unsupportedKey`.
    public init(der: [UInt8]) throws(CertificateError) {
        guard der.count <= CertificateLimits.certificateSize else { throw .tooLarge }
        let parts: CertificateParts
        do throws(DERReader.Failure) {
            parts = try CertificateParts(der)
        } catch {
            throw .malformed
        }
        do throws(KeyError) {
            publicKey = try RSAPublicKey(spki: parts.spki, allowingElliptic: parts.isAuthority)
        } catch {
            throw error == .malformed ? .malformed : .unsupportedKey
        }
        self.der = der
        subject = parts.subject
        issuer = parts.issuer
        serial = parts.serial
        notBefore = parts.notBefore
        notAfter = parts.notAfter
        isAuthority = parts.isAuthority
        pathLimit = parts.pathLimit
        signedRange = parts.signedRange
        signature = parts.signature
        signatureAlgorithm = parts.signatureAlgorithm
    }

    public var pem: String { PEM.encode(der, label: "CERTIFICATE") }

    /// Whether the subject has issued this certificate itself.
    public var isSelfIssued: Bool { subject == issuer }

    /// Whether another certificate names and signed this one; says nothing about dates and about what that one may do.
    public func isSigned(by issuer: Certificate) -> Bool {
        self.issuer == issuer.subject && hasValidSignature(of: issuer.publicKey)
    }

    func hasValidSignature(of key: RSAPublicKey) -> Bool {
        guard let signatureAlgorithm, signatureAlgorithm.isRSA == key.isRSA else { return false }
        return key.isValidSignature(signature, for: Array(der[signedRange]), digest: signatureAlgorithm.digest)
    }
}

extension Certificate: Hashable {
    public static func == (left: Certificate, right: Certificate) -> Bool {
        left.publicKey == right.publicKey && left.der == right.der
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(publicKey)
        hasher.combine(serial)
    }
}
