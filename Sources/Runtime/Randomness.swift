import Synchronization

/// The random source of a core: seeded in simulations, the system's in production.
///
/// One concrete type instead of an existential, since cores draw on hot paths. Copies of a seeded source repeat its
/// numbers; copies of a secure one never do.
public struct Randomness: RandomNumberGenerator, Sendable {
    private enum Source: Sendable {
        case seeded(UInt64)
        case secure(SecureNumbers)
    }

    private var source: Source

    /// Numbers fit for tokens, keys and identifiers.
    public static var secure: Randomness {
        Randomness(source: .secure(SecureNumbers()))
    }

    /// The same numbers on every run (SplitMix64); for tests and simulations only.
    public static func seeded(_ seed: UInt64) -> Randomness {
        Randomness(source: .seeded(seed))
    }

    public mutating func next() -> UInt64 {
        switch source {
        case .seeded(var state):
            state &+= 0x9E37_79B9_7F4A_7C15
            source = .seeded(state)
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        case .secure(let numbers):
            return numbers.next()
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

/// Numbers of the system, fetched in blocks: one system call for each would cost half a microsecond.
private final class SecureNumbers: Sendable {
    private static let blockSize = 64

    private let unused = Mutex<[UInt64]>([])

    func next() -> UInt64 {
        unused.withLock { unused in
            if unused.isEmpty {
                var system = SystemRandomNumberGenerator()
                unused = (0..<Self.blockSize).map { _ in system.next() }
            }
            return unused.removeLast()
        }
    }
}
