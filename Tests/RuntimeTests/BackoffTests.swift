import Runtime
import Testing

@Suite struct BackoffTests {
    @Test func `delays double up to the cap`() {
        var random = Randomness.seeded(1)
        var backoff = Backoff(initial: .seconds(1), cap: .seconds(10), jitter: 0)
        let delays = (0..<6).map { _ in backoff.next(using: &random) }
        #expect(delays == [1, 2, 4, 8, 10, 10].map { .seconds($0) })
        #expect(backoff.attempts == 6)
    }

    @Test func `a success starts over`() {
        var random = Randomness.seeded(1)
        var backoff = Backoff(initial: .seconds(1), cap: .seconds(10), jitter: 0)
        _ = backoff.next(using: &random)
        _ = backoff.next(using: &random)
        backoff.reset()
        let delay = backoff.next(using: &random)
        #expect(delay == .seconds(1))
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>) func `jitter only adds its share`(seed: UInt64) {
        var random = Randomness.seeded(seed)
        var backoff = Backoff(initial: .milliseconds(100), cap: .seconds(5), jitter: 0.5)
        for attempt in 0..<200 {
            let delay = backoff.next(using: &random)
            let base = min(Duration.milliseconds(100) * (1 << min(attempt, 20)), .seconds(5))
            #expect(delay >= base && delay <= base * 1.5, "seed \(seed)")
        }
    }
}
