public import GRDB
public import Git
public import Keys

/// What a session with another device brought.
public enum Fetched: Sendable {
    /// We have its head already.
    case upToDate(head: ObjectID)
    /// Objects for ``Conversation/absorb(_:_:head:into:from:signer:at:)``.
    case objects(ObjectStore, head: ObjectID)
}

/// The fetching side of one session on a git channel.
///
/// Write ``request``, feed what arrives to ``receive(_:)`` and follow ``next(_:)``.
/// ``Conversation/fetch(_:from:over:reading:write:)`` is that loop. Source: conversations protocol, "Client duties".
public struct FetchingSession: Sendable {
    public enum Action: Sendable {
        /// Bytes for one write of the channel.
        case write([UInt8])
        case finished(Fetched)
        case wait
    }

    public let conversation: ConversationID
    public let device: LongID
    /// The first bytes of the session.
    public var request: [UInt8] { client.request }
    private var client: UploadPackClient
    private var knownHead: ObjectID?

    /// A session with the device that serves, which the channel's name holds too.
    public init(_ conversation: ConversationID, from device: LongID) {
        self.conversation = conversation
        self.device = device
        client = UploadPackClient(repository: conversation.hex, host: device.hex)
    }

    /// Takes bytes of the peer.
    public mutating func receive(_ bytes: some Collection<UInt8>) throws(GitError) {
        try client.receive(bytes)
    }

    /// The next step, after a short look into the database.
    ///
    /// - Throws: ``GitError`` when the peer breaks the protocol.
    public mutating func next(_ database: Database) throws -> Action {
        if let head = knownHead {
            knownHead = nil
            return .finished(.upToDate(head: head))
        }
        switch try client.next() {
        case .wait: return .wait
        case .write(let bytes): return .write(bytes)
        case .fetched(let head, let pack): return .finished(.objects(try PackReader.read(pack), head: head))
        case .advertised(let head):
            let store = try ConversationStore(database, conversation)
            if try store.containsCommit(head) {
                knownHead = head
                return .write(client.decline())
            }
            return .write(client.want(head, haves: try Self.haves(of: store, toward: device)))
        }
    }

    func stepped(_ database: Database) throws -> (session: FetchingSession, action: Action) {
        var session = self
        let action = try session.next(database)
        return (session, action)
    }

    /// How many of our newest commits are named one by one.
    private static let denseCount = 16

    /// Commits that the device may have too: what it last showed or took, our head, and ever older commits.
    static func haves(of store: ConversationStore, toward device: LongID) throws -> [ObjectID] {
        guard let head = store.headCommit, let last = try store.position(of: head) else { return [] }
        let known = try store.peerHeads(of: device)
        var haves = try [known.fetched, known.shown].compactMap { $0 }.filter { try store.containsCommit($0) }
        var distance = 0
        while distance <= last {
            if let id = try store.commitID(at: last - distance) { haves.append(id) }
            distance += distance < denseCount ? 1 : distance / 4
        }
        if distance != last, let first = try store.commitID(at: 0) { haves.append(first) }
        var seen: Set<ObjectID> = []
        return haves.filter { seen.insert($0).inserted }
    }
}

extension Conversation {
    /// Fetches from a device over an open git channel: one session, after which the channel can be used again.
    ///
    /// No transaction is open while the peer is waited for. Deadlines are the caller's: it closes the channel of a peer that
    /// takes too long, which ends `inbound`.
    ///
    /// The result is for ``absorb(_:_:head:into:from:signer:at:)``; `nil` when the channel ended early. Every `write` is one
    /// write of the channel, of at most 65535 bytes.
    public static func fetch<Inbound: AsyncIteratorProtocol>(
        _ id: ConversationID,
        from device: LongID,
        over inbound: inout Inbound,
        reading database: any DatabaseReader,
        write: ([UInt8]) async throws -> Void
    ) async throws -> Fetched? where Inbound.Element == [UInt8] {
        var session = FetchingSession(id, from: device)
        try await write(session.request)
        while let bytes = try await inbound.next(isolation: #isolation) {
            try session.receive(bytes)
            while true {
                let current = session
                let (next, action) = try await database.read { try current.stepped($0) }
                session = next
                switch action {
                case .write(let bytes):
                    try await write(bytes)
                    continue
                case .finished(let fetched): return fetched
                case .wait: break
                }
                break
            }
        }
        return nil
    }
}
