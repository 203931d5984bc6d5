import CryptoExtras

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension RSAPrivateKey {
    /// Makes a new key; blocks for most of a second at 4096 bits.
    ///
    /// BoringSSL finds primes in a third of the time that OpenSSL takes, so the key is made there and used here.
    public static func generate(bits: Int = 4096) throws(KeyError) -> RSAPrivateKey {
        guard RSAPublicKey.acceptedBitCounts.contains(bits) else { throw .invalidParameter }
        let encoded: [UInt8]
        do {
            let made = try _RSA.Signing.PrivateKey(unsafeKeySize: _RSA.Signing.KeySize(bitCount: bits))
            encoded = [UInt8](made.pkcs8DERRepresentation)
        } catch {
            throw .libraryFailure
        }
        return try RSAPrivateKey(pkcs8: encoded)
    }
}
