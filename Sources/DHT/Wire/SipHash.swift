/// SipHash-2-4: a keyed hash of short messages, from which nobody can tell the key or guess another hash.
///
/// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF".
struct SipHash: Sendable {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    private var words: UInt64 = 0

    init(key: (UInt64, UInt64)) {
        v0 = key.0 ^ 0x736F_6D65_7073_6575
        v1 = key.1 ^ 0x646F_7261_6E64_6F6D
        v2 = key.0 ^ 0x6C79_6765_6E65_7261
        v3 = key.1 ^ 0x7465_6462_7974_6573
    }

    /// Eight bytes of the message, the first of them the lowest.
    mutating func combine(_ word: UInt64) {
        words &+= 1
        compress(word)
    }

    /// The hash of the words so far.
    func finalize() -> UInt64 {
        var state = self
        state.compress(words << 59)
        state.v2 ^= 0xFF
        for _ in 0..<4 { state.round() }
        return state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    }

    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    private mutating func round() {
        v0 &+= v1
        v1 = rotate(v1, by: 13) ^ v0
        v0 = rotate(v0, by: 32)
        v2 &+= v3
        v3 = rotate(v3, by: 16) ^ v2
        v0 &+= v3
        v3 = rotate(v3, by: 21) ^ v0
        v2 &+= v1
        v1 = rotate(v1, by: 17) ^ v2
        v2 = rotate(v2, by: 32)
    }

    private func rotate(_ word: UInt64, by count: UInt64) -> UInt64 {
        word &<< count | word &>> (64 - count)
    }
}
