import Testing

@testable import DHT

@Suite struct SipHashTests {
    /// The vectors of the reference implementation: the key and the message count up from zero.
    @Test(
        arguments: [(0, 0x726f_db47_dd0e_0e31), (1, 0x93f5_f579_9a93_2462), (2, 0x3f2a_cc7f_57c2_9bdb)]
            as [(Int, UInt64)]
    )
    func `hashes are those of the reference`(words: Int, hash: UInt64) {
        let counting = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908] as [UInt64]
        var hasher = SipHash(key: (counting[0], counting[1]))
        for word in counting.prefix(words) { hasher.combine(word) }
        #expect(hasher.finalize() == hash)
    }
}
