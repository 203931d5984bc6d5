/// Counts events in a sliding window and refuses those over a quota.
public struct RateLimiter: Sendable {
    public let quota: Int
    public let window: Duration
    private var times: [Instant] = []
    private var oldest = 0

    public init(quota: Int, per window: Duration) {
        self.quota = quota
        self.window = window
    }

    /// Whether one more event is within the quota; counts it if so.
    public mutating func admit(at now: Instant) -> Bool {
        let start = now - window
        while oldest < times.count, times[oldest] <= start { oldest += 1 }
        if oldest > 64, oldest * 2 > times.count {
            times.removeFirst(oldest)
            oldest = 0
        }
        guard times.count - oldest < quota else { return false }
        times.append(now)
        return true
    }

    /// Whether nothing is counted any more, so that the limiter can be forgotten.
    public mutating func isIdle(at now: Instant) -> Bool {
        guard let last = times.last else { return true }
        return last <= now - window
    }
}
