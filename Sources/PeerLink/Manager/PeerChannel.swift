/// A named byte stream to a device, one of many on a connection.
///
/// Dropping the last reference closes it. Pieces arrive as the peer has sent them, but only their sequence of bytes means
/// anything. Source: peer connections protocol, "Multiplexed socket".
public final class PeerChannel: Sendable {
    public let name: String
    public let connection: PeerConnection
    /// Whether the peer has opened it.
    public let isIncoming: Bool

    package let number: UInt16
    private let inbox: ByteInbox

    init(name: String, connection: PeerConnection, isIncoming: Bool, number: UInt16, inbox: ByteInbox) {
        self.name = name
        self.connection = connection
        self.isIncoming = isIncoming
        self.number = number
        self.inbox = inbox
    }

    deinit {
        inbox.abandon()
        connection.forget(number, inbox: inbox)
    }

    /// Hands bytes to the connection, waiting while its socket is full.
    ///
    /// Bytes of one call up to 65 535 stay together; longer ones are sent in pieces between which other writers may come.
    public func write(_ bytes: [UInt8]) async throws(PeerLinkError) {
        try await connection.write(bytes, to: number, inbox: inbox)
    }

    /// What the peer sends, for one consumer; ends when either side closes the channel or the connection is gone.
    ///
    /// A consumer that does not read stops the whole connection once 4 MiB wait.
    public var inbound: Inbound { Inbound(channel: self) }

    /// Tells the peer that the channel is done, in both directions; harmless when repeated.
    public func close() async {
        inbox.abandon()
        await connection.close(number, inbox: inbox)
    }

    /// The received pieces of a channel; keeps it open while it is read.
    public struct Inbound: AsyncSequence, Sendable {
        fileprivate let channel: PeerChannel

        public func makeAsyncIterator() -> Iterator { Iterator(channel: channel) }

        public struct Iterator: AsyncIteratorProtocol {
            fileprivate let channel: PeerChannel

            public func next() async -> [UInt8]? {
                await channel.inbox.next()
            }
        }
    }
}
