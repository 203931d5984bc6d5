/// What a store lets wait, and for how long.
public struct NameStoreLimits: Sendable {
    /// Registrations and other writes that wait for a commit; more are refused.
    public var waitingWrites = 10_000
    /// Reads that wait; more are refused.
    public var waitingReads = 100_000
    /// Writes that share a commit.
    public var groupSize = 1_024
    /// How long a commit waits at most for those that the last one has answered.
    public var gatherTime: Duration = .milliseconds(2)
    /// How long a write waits for writers of other processes.
    public var lockTimeout: Duration = .seconds(5)

    public init() {}
}
