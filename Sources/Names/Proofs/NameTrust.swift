public struct NameTrust: Hashable, Sendable {
    public init() {}
}
