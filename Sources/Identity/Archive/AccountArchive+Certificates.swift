public import Keys
public import Runtime

extension AccountArchive {
    /// Makes those certificates of the account anew that are missing, out of date or no authority's.
    ///
    /// The keys stay, and with them all ids. Source: accounts protocol, "Renewal".
    ///
    /// - Parameters:
    ///   - now: the time at which the certificates must be valid.
    ///   - randomness: gives the serial numbers.
    /// - Returns: whether anything was made, so that the archive must be stored.
    /// - Throws: `KeyError.unsupported` when the authority's key is not in the archive.
    @discardableResult
    public mutating func renewCertificates(at now: WallTime, randomness: inout Randomness) throws(KeyError) -> Bool {
        func isUsable(_ certificate: Certificate) -> Bool {
            certificate.isAuthority && certificate.notBefore <= now && now <= certificate.notAfter
        }
        if let accountChain, accountChain.certificates.allSatisfy(isUsable), accountChain.certificates.count > 1 {
            return false
        }
        // The authority's key of an organisation is not here, and so are no new certificates to be had.
        guard let authorityKey else { throw .unsupported }
        let old = accountChain?.certificates.last
        let authority: Certificate
        if let old, old.publicKey == authorityKey.publicKey, isUsable(old) {
            authority = old
        } else {
            authority = try Certificate.issue(
                commonName: "Jami CA",
                for: authorityKey.publicKey,
                by: nil,
                signedWith: authorityKey,
                isAuthority: true,
                now: now,
                randomness: &randomness
            )
        }
        let account = try Certificate.issue(
            commonName: "Jami",
            for: accountKey.publicKey,
            by: authority,
            signedWith: authorityKey,
            isAuthority: true,
            now: now,
            randomness: &randomness
        )
        accountChain = CertificateChain([account, authority])
        return true
    }

    /// Makes a device of this account out of a key: its certificate and its receipt.
    ///
    /// - Throws: `KeyError.invalidParameter` when the archive lacks certificates; see
    ///   ``renewCertificates(at:randomness:)``.
    public func enroll(
        deviceKey: RSAPrivateKey,
        at now: WallTime,
        randomness: inout Randomness
    ) throws(KeyError) -> EnrolledDevice {
        guard let accountChain else { throw .invalidParameter }
        let certificate = try Certificate.issue(
            commonName: "Jami device",
            for: deviceKey.publicKey,
            by: accountChain.leaf,
            signedWith: accountKey,
            isAuthority: false,
            now: now,
            randomness: &randomness
        )
        let chain = CertificateChain([certificate] + accountChain.certificates)
        let address = ethereumKey?.addressText ?? ""
        guard let identity = try? DeviceIdentity(chain: chain, key: deviceKey) else { throw .invalidParameter }
        let receipt = try Receipt.issue(for: deviceKey.publicKey, by: accountKey, ethereumAddress: address)
        return EnrolledDevice(identity: identity, receipt: receipt)
    }
}
