#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Where a driver gets its two times from.
///
/// Cores never hold one; drivers and facades do, and tests give them a virtual one.
public protocol TimeSource: Sendable {
    /// The monotonic time.
    var now: Instant { get }
    /// The time of day.
    var wallTime: WallTime { get }
}

/// The clocks of the operating system.
public struct SystemTime: TimeSource {
    public init() {}

    public var now: Instant {
        Instant(nanoseconds: Self.read(CLOCK_MONOTONIC))
    }

    public var wallTime: WallTime {
        WallTime(milliseconds: Self.read(CLOCK_REALTIME) / 1_000_000)
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
