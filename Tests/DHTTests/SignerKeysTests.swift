import Keys
import Testing

@testable import DHT

@Suite struct SignerKeysTests {
    @Test func `the keys of the last signers are kept, others are read again`() throws {
        let owners = try (0..<3).map { _ in try RSAPrivateKey.generate(bits: 1024).publicKey }
        let keys = SignerKeys(limit: 2)
        for _ in 0..<2 {
            for owner in owners {
                #expect(keys.key(owner.spki) == owner)
                #expect(keys.key(owner.spki) == owner)
                #expect(keys.count <= 2)
            }
        }
        #expect(keys.key([1, 2, 3]) == nil)
        #expect(keys.count == 2)
    }
}
