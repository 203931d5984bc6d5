public import MessagePack

/// Why bytes from the network are not what they should be.
public enum WireError: Error, Equatable, Sendable {
    /// No MessagePack at all, or an object of the wrong kind.
    case malformed(MessagePackError)
    /// A field that must be there is not.
    case missing(String)
    /// A field holds what it must not hold.
    case invalid(String)
    /// More than a named limit allows.
    case tooLarge(String)
}
