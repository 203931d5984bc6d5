import Runtime
import Testing

@Suite struct InstantTests {
    @Test func `durations move an instant`() {
        let start = Instant(nanoseconds: 1_000)
        #expect(start + .microseconds(2) == Instant(nanoseconds: 3_000))
        #expect(start - .nanoseconds(1) == Instant(nanoseconds: 999))
        #expect(Instant(nanoseconds: 5_000) - start == .microseconds(4))
        #expect(start < .distantFuture)
    }

    @Test func `huge durations are saturated`() {
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
        #expect(Duration.milliseconds(1_500).wholeMilliseconds == 1_500)
        #expect(Duration.milliseconds(1_500).inSeconds == 1.5)
    }

    @Test func `a time of day keeps milliseconds`() {
        #expect(WallTime(seconds: 2).milliseconds == 2_000)
        #expect(WallTime(milliseconds: 2_999).seconds == 2)
        #expect(WallTime(seconds: .max).milliseconds == .max)
    }

    @Test func `the system's monotonic clock does not go back`() {
        let clock = SystemTime()
        let first = clock.now
        let second = clock.now
        #expect(first <= second)
        #expect(clock.wallTime > WallTime(seconds: 1_600_000_000))
    }
}
