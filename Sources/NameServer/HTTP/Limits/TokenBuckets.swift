package import Runtime

/// A token bucket for each of a bounded number of clients.
///
/// Two generations are kept: when the younger one is full, the older one is forgotten. So a client that was seen
/// recently keeps its bucket, and no flood of addresses makes the table grow.
/// Source: names protocol, "Rate limits".
package struct TokenBuckets<Key: Hashable & Sendable>: Sendable {
    package struct Rate: Hashable, Sendable {
        /// Tokens for each second; 0 for no limit.
        package var perSecond: Double
        package var burst: Double

        package init(perSecond: Double, burst: Double) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }

    private struct Bucket {
        var tokens: Double
        var time: Instant
    }

    package let rate: Rate
    /// Buckets in one generation.
    package let capacity: Int
    private var young: [Key: Bucket] = [:]
    private var old: [Key: Bucket] = [:]

    package init(rate: Rate, capacity: Int) {
        self.rate = rate
        self.capacity = max(1, capacity)
    }

    /// How many clients are remembered.
    package var count: Int { young.count + old.count }

    /// Takes a token: `nil` when there was one, otherwise the time until there is one.
    package mutating func take(for key: Key, at now: Instant) -> Duration? {
        guard rate.perSecond > 0 else { return nil }
        var bucket = young[key] ?? old[key] ?? Bucket(tokens: rate.burst, time: now)
        let elapsed = max(0, (now - bucket.time).inSeconds)
        bucket.tokens = min(rate.burst, bucket.tokens + elapsed * rate.perSecond)
        bucket.time = now
        let isAdmitted = bucket.tokens >= 1
        if isAdmitted { bucket.tokens -= 1 }
        if young[key] == nil, young.count >= capacity {
            old = young
            young = [:]
        }
        young[key] = bucket
        return isAdmitted ? nil : .seconds((1 - bucket.tokens) / rate.perSecond)
    }
}
