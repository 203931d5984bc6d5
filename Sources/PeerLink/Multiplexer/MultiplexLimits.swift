/// Bounds of one multiplexed connection.
///
/// Source: peer connections protocol, "Multiplexed socket".
public enum MultiplexLimits {
    /// Bytes of data in one message.
    public static let messageSize = 65_535
    /// Bytes of an object that is no message and is skipped.
    public static let oddObjectSize = 4_096
    /// Bytes of a channel name, both ways.
    public static let nameSize = 1_024
    /// Channels of one connection, open or asked for.
    public static let channels = 1_024
    /// Requests of the peer that wait for our decision.
    public static let unansweredRequests = 64
    /// Malformed or unexpected objects before the connection is closed.
    public static let oddObjects = 32
    /// Answers that may wait in the socket's buffer while the peer does not read.
    public static let unreadAnswers = 1_024
    /// Bytes received and not yet consumed, over all channels, at which reading from the socket stops.
    public static let pendingHigh = 4 << 20
    /// Bytes at which it goes on.
    public static let pendingLow = 2 << 20
    /// How long the peer may take to answer a channel request.
    public static let replyTimeout: Duration = .seconds(10)
    /// How long the peer may take to answer a beacon before the connection counts as dead.
    public static let beaconTimeout: Duration = .seconds(3)
}
