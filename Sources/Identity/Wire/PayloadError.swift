/// Why bytes from the network or a file are not the message that was expected.
public enum PayloadError: Error, Equatable, Sendable {
    /// Not the MessagePack object that belongs here.
    case malformed
    /// A field is missing that the message cannot be without, or holds what it may not.
    case invalidField(String)
    /// A request of another service than Jami's.
    case foreignService
    /// More bytes than allowed.
    case tooLarge
}
