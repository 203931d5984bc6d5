/// Delays that double up to a cap, with jitter, for one owner of one retry schedule.
public struct Backoff: Sendable {
    public let initial: Duration
    public let cap: Duration
    /// The share of a delay that is drawn at random, from 0 to 1.
    public let jitter: Double
    public private(set) var attempts = 0

    public init(initial: Duration, cap: Duration, jitter: Double = 0.25) {
        self.initial = initial
        self.cap = cap
        self.jitter = jitter
    }

    /// The delay before the next attempt.
    public mutating func next(using randomness: inout Randomness) -> Duration {
        let doubled = initial * (1 << min(attempts, 20))
        let base = min(doubled, cap)
        attempts += 1
        return base + base * (Double.random(in: 0...1, using: &randomness) * jitter)
    }

    /// Starts from the initial delay again, after a success.
    public mutating func reset() {
        attempts = 0
    }
}
