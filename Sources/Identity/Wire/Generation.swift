/// The two generations of peers whose encodings and rules differ.
public enum Generation: Sendable, Hashable {
    /// `jami-daemon 20230206`, as Debian 12 has it: times in seconds.
    case daemon2023
    /// The daemon of 2026: times in milliseconds besides.
    case daemon2026
}
