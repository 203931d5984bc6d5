/// Who has the last word on a name, and when a registration is acknowledged.
///
/// Source: names protocol, "Modes".
public enum ServerMode: String, Sendable, CaseIterable {
    /// The store alone.
    case sql
    /// The store; the chain follows.
    case shadow
    /// Store and chain must agree: acknowledged once both hold it.
    case dual
    /// The chain; the store is its index and keeps the evidence.
    case chain

    /// Whether registrations go to a chain at all.
    public var usesChain: Bool { self != .sql }

    /// Whether a registration is held back until the chain holds it.
    public var awaitsInclusion: Bool { self == .dual || self == .chain }
}
