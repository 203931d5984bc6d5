/// The random source of a core: seeded in simulations, the system's in production.
///
/// One concrete type instead of an existential, since cores draw on hot paths. The secure form fetches bytes from the
/// system in blocks: one system call for each number costs half a microsecond.
public struct Randomness: RandomNumberGenerator, Sendable {
    private enum Source: Sendable {
        case seeded(UInt64)
        case secure(block: [UInt64], next: Int)
    }

    private var source: Source

    /// Numbers fit for tokens, keys and identifiers.
    public static var secure: Randomness {
        Randomness(source: .secure(block: [], next: 0))
    }

    /// The same numbers on every run (SplitMix64); for tests and simulations only.
    public static func seeded(_ seed: UInt64) -> Randomness {
        Randomness(source: .seeded(seed))
    }

    private static let blockSize = 64

    public mutating func next() -> UInt64 {
        switch source {
        case .seeded(var state):
            state &+= 0x9E37_79B9_7F4A_7C15
            source = .seeded(state)
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        case .secure(var block, let next):
            source = .secure(block: [], next: 0)
            if next < block.count {
                let value = block[next]
                block[next] = 0
                source = .secure(block: block, next: next + 1)
                return value
            }
            var system = SystemRandomNumberGenerator()
            block = (0..<Self.blockSize).map { _ in system.next() }
            let value = block[0]
            block[0] = 0
            source = .secure(block: block, next: 1)
            return value
        }
    }

    public mutating func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        while result.count < count {
            var word = next()
            for _ in 0..<min(8, count - result.count) {
                result.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        return result
    }

    /// A duration drawn uniformly from a closed range.
    public mutating func duration(in range: ClosedRange<Duration>) -> Duration {
        .nanoseconds(
            Int64.random(in: range.lowerBound.wholeNanoseconds...range.upperBound.wholeNanoseconds, using: &self)
        )
    }
}
