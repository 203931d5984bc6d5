/// A point on a monotonic clock, in nanoseconds since an origin that only the clock knows.
///
/// Protocol cores get it as an argument and never ask for it, so that the same core runs on a virtual clock.
public struct Instant: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64 = 0) {
        self.nanoseconds = nanoseconds
    }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    public static func + (instant: Instant, duration: Duration) -> Instant {
        Instant(nanoseconds: instant.nanoseconds &+ duration.wholeNanoseconds)
    }

    public static func - (instant: Instant, duration: Duration) -> Instant {
        Instant(nanoseconds: instant.nanoseconds &- duration.wholeNanoseconds)
    }

    public static func - (left: Instant, right: Instant) -> Duration {
        .nanoseconds(left.nanoseconds &- right.nanoseconds)
    }

    /// Never reached.
    public static let distantFuture = Instant(nanoseconds: .max)
}

extension Duration {
    /// The duration in nanoseconds, saturated at the range of `Int64`.
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carry) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carry ? (seconds < 0 ? .min : .max) : sum
    }

    public var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }

    /// For arithmetic that may round.
    public var inSeconds: Double { Double(wholeNanoseconds) / 1e9 }
}
