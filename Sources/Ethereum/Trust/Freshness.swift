public import Runtime

/// Why a block is not one to learn the present from.
public enum FreshnessError: Error, Hashable, Sendable {
    /// Older than allowed: what changed since is withheld, or the chain stands still.
    case tooOld(seconds: Int64)
    /// Made later than now.
    case inTheFuture(seconds: Int64)
    /// Below a block that was accepted already.
    case belowAccepted(UInt64)
}

/// How old a block may be that something is proved with.
///
/// Source: names protocol, "Proofs".
public struct Freshness: Hashable, Sendable {
    public var maximumAge: Duration
    public var allowedSkew: Duration

    /// For chains with proof of stake, whose final block is a quarter of an hour old.
    public static let proofOfStake = Freshness(maximumAge: .seconds(3_600))
    public static let proofOfAuthority = Freshness(maximumAge: .seconds(600))

    public init(maximumAge: Duration, allowedSkew: Duration = .seconds(60)) {
        self.maximumAge = maximumAge
        self.allowedSkew = allowedSkew
    }

    /// Accepts a block that is young enough and not below the highest one that was accepted before.
    public func check(
        _ header: BlockHeader,
        now: WallTime,
        highestAccepted: UInt64?
    ) throws(FreshnessError) {
        let timestamp = Int64(clamping: header.timestamp)
        let (age, overflow) = now.seconds.subtractingReportingOverflow(timestamp)
        guard !overflow, age >= -allowedSkew.components.seconds else {
            throw .inTheFuture(seconds: overflow ? .max : -age)
        }
        guard age <= maximumAge.components.seconds else { throw .tooOld(seconds: age) }
        if let highestAccepted, header.number < highestAccepted { throw .belowAccepted(highestAccepted) }
    }
}
