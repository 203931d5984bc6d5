public import Keys
public import Runtime

/// Decides whether a chain of certificates is that of a device, and of whose.
///
/// Source: accounts protocol, "Peer certificate rule".
public enum PeerRule {
    /// The account that a device belongs to: the direct issuer of its certificate, after the whole chain was checked.
    ///
    /// Anybody can make such a chain. It only binds a device to an account.
    ///
    /// - Parameters:
    ///   - chain: the certificates of the device.
    ///   - now: the time that they must be valid at.
    ///   - revocations: what is known to be revoked, from whatever origin.
    /// - Returns: the account id.
    /// - Throws: the first condition that does not hold.
    public static func account(
        of chain: CertificateChain,
        at now: WallTime,
        revocations: [RevocationList] = []
    ) throws(CertificateError) -> InfoHash {
        try chain.verify(at: now, revocations: revocations)
        guard let account = chain.accountID else { throw .noIssuer }
        return account
    }
}
