public import GRDB
public import Git

/// The serving side of a git channel of one conversation, for any number of sessions.
///
/// ``Conversations/serve(_:over:reading:write:finished:)`` drives it step by step with small memory; ``receive(_:in:)`` does
/// all steps that some bytes allow at once. Source: conversations protocol, "Git transport".
public struct ServeSession: Sendable {
    /// What some bytes of the peer led to.
    public struct Step: Sendable {
        /// One write of the channel each: whole packet lines, at most 65535 bytes.
        public var writes: [[UInt8]] = []
        /// The head that the peer was shown, when a session has ended well; the last one of several.
        public var shown: ObjectID?
        /// The commit whose pack the peer took in that session.
        public var served: ObjectID?
    }

    public let conversation: ConversationID
    private var server = UploadPackServer()

    public init(conversation: ConversationID) {
        self.conversation = conversation
    }

    /// Takes bytes of the peer; follow with ``next(in:)``.
    public mutating func receive(_ bytes: some Collection<UInt8>) throws(GitError) {
        try server.receive(bytes)
    }

    /// The next step, after a short look into the database.
    public mutating func next(in database: Database) throws -> UploadPackServer.Action {
        try server.next(in: ConversationStore(database, conversation))
    }

    /// Takes bytes of the peer and does everything that they allow; a whole pack is held in memory.
    ///
    /// - Throws: when the peer breaks the protocol; the channel is then closed.
    public mutating func receive(_ bytes: some Collection<UInt8>, in database: Database) throws -> Step {
        try server.receive(bytes)
        let store = try ConversationStore(database, conversation)
        var step = Step()
        while true {
            switch try server.next(in: store) {
            case .wait: return step
            case .write(let bytes): step.writes.append(bytes)
            case .finished(let report): (step.shown, step.served) = (report.shown, report.served)
            }
        }
    }

    /// The session after its next step, for databases that take only values along.
    func stepped(in database: Database) throws -> (session: ServeSession, action: UploadPackServer.Action) {
        var session = self
        let action = try session.next(in: database)
        return (session, action)
    }
}

extension Conversations {
    /// Serves a git channel until its bytes end; any number of sessions.
    ///
    /// No transaction is open while the peer is waited for. Deadlines are the caller's: it closes the channel of a peer that
    /// takes too long, which ends `inbound`.
    ///
    /// - Parameters:
    ///   - inbound: what the peer writes, in any pieces.
    ///   - write: one write of the channel; at most 65535 bytes, always whole packet lines.
    ///   - finished: a session has ended; usually stored with ``recordShown(_:of:to:in:)``.
    /// - Throws: when the peer breaks the protocol; the channel is then closed.
    public static func serve<Inbound: AsyncSequence>(
        _ id: ConversationID,
        over inbound: Inbound,
        reading database: any DatabaseReader,
        write: ([UInt8]) async throws -> Void,
        finished: (UploadPackReport) async throws -> Void
    ) async throws where Inbound.Element == [UInt8] {
        var session = ServeSession(conversation: id)
        for try await bytes in inbound {
            try session.receive(bytes)
            while true {
                let current = session
                let (next, action) = try await database.read { try current.stepped(in: $0) }
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
