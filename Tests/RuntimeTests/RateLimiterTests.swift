import Runtime
import Testing

@Suite struct RateLimiterTests {
    @Test func `events within the quota are admitted and one more is refused`() {
        var limiter = RateLimiter(quota: 3, per: .seconds(1))
        let answers = (0..<4).map { _ in limiter.admit(at: Instant()) }
        #expect(answers == [true, true, true, false])
    }

    @Test func `the window slides`() {
        var limiter = RateLimiter(quota: 2, per: .seconds(1))
        let answers = [0, 600, 900, 1_000, 1_599, 1_600].map { limiter.admit(at: at(milliseconds: $0)) }
        #expect(answers == [true, true, false, true, false, true])
    }

    @Test func `refused events do not count`() {
        var limiter = RateLimiter(quota: 1, per: .seconds(1))
        let answers = [0, 500, 999, 1_000].map { limiter.admit(at: at(milliseconds: $0)) }
        #expect(answers == [true, false, false, true])
    }

    @Test func `a quota of zero admits nothing`() {
        var limiter = RateLimiter(quota: 0, per: .seconds(1))
        let answer = limiter.admit(at: Instant())
        #expect(!answer)
    }

    @Test func `a limiter is idle again after its window`() {
        var limiter = RateLimiter(quota: 1, per: .seconds(1))
        let fresh = limiter.isIdle(at: Instant())
        _ = limiter.admit(at: Instant())
        let busy = limiter.isIdle(at: at(milliseconds: 999))
        let idle = limiter.isIdle(at: at(milliseconds: 1_000))
        #expect(fresh && !busy && idle)
    }

    @Test func `a long run admits exactly the quota in each window`() {
        var limiter = RateLimiter(quota: 100, per: .seconds(1))
        var admitted = 0
        for millisecond in 0..<60_000 where limiter.admit(at: at(milliseconds: Int64(millisecond))) { admitted += 1 }
        #expect(admitted == 6_000)
    }
}

private func at(milliseconds: Int64) -> Instant {
    Instant(nanoseconds: milliseconds * 1_000_000)
}
