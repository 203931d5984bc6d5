import Runtime

/// How long answers take, so that one that is late is noticed soon.
///
/// Source: RFC 6298, section 2.
struct ResponseTimes: Sendable {
    private var smoothed: Int64 = 0
    private var variation: Int64 = 0

    /// Takes note of how long the answer to a request took that was sent once.
    mutating func note(_ time: Duration) {
        let time = min(max(time.wholeNanoseconds, 1), Timing.firstRetry.wholeNanoseconds)
        if smoothed == 0 {
            smoothed = time
            variation = time / 2
        } else {
            variation += (abs(smoothed - time) - variation) / 4
            smoothed += (time - smoothed) / 8
        }
    }

    /// After this long an answer is late; others may be asked meanwhile.
    var patience: Duration {
        guard smoothed > 0 else { return Timing.firstRetry }
        let usual = Duration.nanoseconds(max(smoothed + 4 * variation, 2 * smoothed))
        return min(max(usual, Timing.leastPatience), Timing.firstRetry)
    }
}
