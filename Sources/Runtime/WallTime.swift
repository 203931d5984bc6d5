/// A time of day as the wire formats carry it: milliseconds since 1970 UTC.
public struct WallTime: Hashable, Comparable, Sendable {
    public var milliseconds: Int64

    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    public init(seconds: Int64) {
        milliseconds = seconds.multipliedReportingOverflow(by: 1000).overflow ? .max : seconds * 1000
    }

    public var seconds: Int64 { milliseconds / 1000 }

    public static func < (left: WallTime, right: WallTime) -> Bool {
        left.milliseconds < right.milliseconds
    }
}
