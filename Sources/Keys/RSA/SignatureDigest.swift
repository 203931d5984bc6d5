/// The digest under an RSASSA-PKCS1-v1_5 signature.
///
/// Values, receipts and names are signed with SHA-512, certificates with SHA-256 or SHA-384.
public enum SignatureDigest: Sendable, Hashable {
    case sha256, sha384, sha512
}
