public import Keys

/// A device of an account: its key and its certificates.
///
/// This is all that day-to-day operation needs; the account's own key stays in the archive. Source: accounts protocol,
/// "Keys and certificates".
public struct DeviceIdentity: Sendable {
    /// Device, account, authority.
    public let chain: CertificateChain
    /// The private key of the device.
    public let key: RSAPrivateKey

    /// - Throws: `CertificateError.noIssuer` for a chain without an account, `.unsupportedKey` for a key that is not the
    ///   leaf's.
    public init(chain: CertificateChain, key: RSAPrivateKey) throws(CertificateError) {
        guard let issuer = chain.issuer else { throw .noIssuer }
        guard chain.leaf.publicKey == key.publicKey else { throw .unsupportedKey }
        self.chain = chain
        self.key = key
        accountCertificate = issuer
    }

    public let accountCertificate: Certificate

    public var deviceID: LongID { key.publicKey.longID }
    public var shortDeviceID: InfoHash { key.publicKey.shortID }
    public var accountID: InfoHash { accountCertificate.publicKey.shortID }
}
