public import ICE

/// Why there is no connection, or no channel.
public enum PeerLinkError: Error, Equatable, Sendable {
    /// A device does not connect to itself.
    case ownDevice
    /// The chain of the device does not hold together.
    case invalidDevice
    /// The request could not be handed to the network.
    case signallingFailed
    /// The device has not answered the request in time.
    case noAnswer
    /// The answer is no description of a peer.
    case malformedAnswer
    /// No path between the two devices was found.
    case unreachable(ICEError)
    /// The TLS handshake failed, was not TLS 1.3, or somebody else was at the other end.
    case insecure
    /// The peer does not want the channel.
    case declined
    /// The peer has not answered the channel request in time.
    case unanswered
    /// The name of a channel is longer than 1 KiB.
    case nameTooLong
    /// The connection has as many channels as it may.
    case tooManyChannels
    /// The connection or the channel was closed.
    case closed
    /// The waiting task was cancelled.
    case cancelled
    /// The connection manager is shut down.
    case shutDown

    /// Whether trying again later may help.
    public var isTransient: Bool {
        switch self {
        case .ownDevice, .invalidDevice, .nameTooLong, .shutDown, .cancelled, .declined: false
        case .signallingFailed, .noAnswer, .malformedAnswer, .unreachable, .insecure, .unanswered, .closed,
            .tooManyChannels:
            true
        }
    }
}
