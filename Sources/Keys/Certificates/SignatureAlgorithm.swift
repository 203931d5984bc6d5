/// The signature algorithms of certificates that are strong enough to count.
struct SignatureAlgorithm: Sendable, Equatable {
    let isRSA: Bool
    let digest: SignatureDigest

    private static let rsaPrefix: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01]
    private static let ellipticPrefix: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03]

    /// `nil` for SHA-1, MD5 and everything unknown.
    init?(objectIdentifier: [UInt8]) {
        guard let last = objectIdentifier.last else { return nil }
        switch (Array(objectIdentifier.dropLast()), last) {
        case (Self.rsaPrefix, 11): self.init(isRSA: true, digest: .sha256)
        case (Self.rsaPrefix, 12): self.init(isRSA: true, digest: .sha384)
        case (Self.rsaPrefix, 13): self.init(isRSA: true, digest: .sha512)
        case (Self.ellipticPrefix, 2): self.init(isRSA: false, digest: .sha256)
        case (Self.ellipticPrefix, 3): self.init(isRSA: false, digest: .sha384)
        case (Self.ellipticPrefix, 4): self.init(isRSA: false, digest: .sha512)
        default: return nil
        }
    }

    init(isRSA: Bool, digest: SignatureDigest) {
        self.isRSA = isRSA
        self.digest = digest
    }

    /// The AlgorithmIdentifier of an RSA signature.
    static func rsaIdentifier(_ digest: SignatureDigest) -> [UInt8] {
        let last: UInt8 =
            switch digest {
            case .sha256: 11
            case .sha384: 12
            case .sha512: 13
            }
        return DERWriter.sequence(DERWriter.objectIdentifier(rsaPrefix + [last]), [DERReader.Tag.null, 0])
    }
}
