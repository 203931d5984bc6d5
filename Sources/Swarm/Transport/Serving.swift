public import GRDB
public import Git

/// The serving side of a git channel of one conversation.
///
/// ```swift
/// var session = ServingSession(id)
/// for try await bytes in channel.inbound {
///     try session.receive(bytes)
///     serving: while true {
///         switch try await database.read({ [session] in try session.stepped($0) }) { … }
///     }
/// }
/// ```
/// ``Conversation/serve(_:over:reading:write:finished:)`` is that loop. Source: conversations protocol, "Git transport".
public struct ServingSession: Sendable {
    public let conversation: ConversationID
    private var server = UploadPackServer()

    public init(_ conversation: ConversationID) {
        self.conversation = conversation
    }

    /// Takes bytes of the peer.
    public mutating func receive(_ bytes: some Collection<UInt8>) throws(GitError) {
        try server.receive(bytes)
    }

    /// The next step, after a short look into the database.
    public mutating func next(_ database: Database) throws -> UploadPackServer.Action {
        try server.next(in: ConversationStore(database, conversation))
    }

    /// The session after its next step, for databases that take only values along.
    func stepped(_ database: Database) throws -> (session: ServingSession, action: UploadPackServer.Action) {
        var session = self
        let action = try session.next(database)
        return (session, action)
    }
}

extension Conversation {
    /// Serves a git channel until its bytes end; any number of sessions.
    ///
    /// No transaction is open while the peer is waited for. Deadlines are the caller's: it closes the channel of a peer that
    /// takes too long, which ends `inbound`.
    ///
    /// Every `write` is one write of the channel: whole packet lines, at most 65535 bytes. What `finished` reports is usually
    /// stored with ``setShown(_:_:head:to:)``. Throws when the peer breaks the protocol; the channel is then to be closed.
    public static func serve<Inbound: AsyncSequence>(
        _ id: ConversationID,
        over inbound: Inbound,
        reading database: any DatabaseReader,
        write: ([UInt8]) async throws -> Void,
        finished: (UploadPackReport) async throws -> Void
    ) async throws where Inbound.Element == [UInt8] {
        var session = ServingSession(id)
        for try await bytes in inbound {
            try session.receive(bytes)
            while true {
                let current = session
                let (next, action) = try await database.read { try current.stepped($0) }
                session = next
                switch action {
                case .wait: break
                case .write(let bytes): try await write(bytes)
                case .finished(let report): try await finished(report)
                }
                if action == .wait { break }
            }
        }
    }
}
