public import Runtime

/// When a registration that is not decided yet is tried again.
///
/// The one owner of this schedule; a pure value that is told what happened and when.
public struct RegistrationSchedule: Sendable {
    /// How long one is tried when nobody says otherwise.
    public static let standardPatience = Duration.seconds(86_400)
    /// The longest wait that a server can impose.
    private static let longestPause = Duration.seconds(3_600)

    public enum Step: Hashable, Sendable {
        case finished
        case retry(at: WallTime)
        /// The time is over and nothing is decided.
        case expired
    }

    /// When trying ends.
    public let deadline: WallTime
    private var backoff = Backoff(initial: .seconds(5), cap: .seconds(300))

    public init(deadline: WallTime) {
        self.deadline = deadline
    }

    /// What comes after an attempt.
    public mutating func next(
        after outcome: RegistrationOutcome,
        at now: WallTime,
        using randomness: inout Randomness
    ) -> Step {
        guard !outcome.isFinal else { return .finished }
        var pause = backoff.next(using: &randomness)
        if case .undecided(.trouble(_, let seconds?)) = outcome {
            pause = max(pause, min(.seconds(seconds), Self.longestPause))
        }
        let next = WallTime(milliseconds: now.milliseconds &+ pause.wholeMilliseconds)
        return next < deadline ? .retry(at: next) : .expired
    }
}
