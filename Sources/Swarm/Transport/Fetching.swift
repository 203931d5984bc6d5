public import GRDB
public import Git
public import Keys

/// What a session with another device brought, for ``Conversations/absorb(_:into:from:signer:at:in:)``.
public struct FetchedHistory: Sendable {
    /// The head that the device showed.
    public let head: ObjectID
    /// What its pack held; nothing when the head was known.
    public let objects: ObjectStore

    public init(head: ObjectID, objects: ObjectStore) {
        self.head = head
        self.objects = objects
    }
}

/// The fetching side of one session on a git channel.
///
/// Made from a look into the database, it needs no other one. Source: conversations protocol, "Client duties".
public struct FetchSession: Sendable {
    /// What some bytes of the peer led to.
    public struct Step: Sendable {
        /// One write of the channel each, at most 65535 bytes.
        public var writes: [[UInt8]] = []
        /// The end of the session; write first, then use this. The channel is free for another session.
        public var finished: FetchedHistory?
    }

    private var client: UploadPackClient
    private let haves: [ObjectID]
    private let known: Set<ObjectID>

    /// How many of our newest commits are recognised without a fetch.
    static let knownLimit = 1024

    init(_ store: ConversationStore, device: LongID) throws {
        client = UploadPackClient(repository: store.id.hex, host: device.hex)
        haves = try Self.haves(of: store, toward: device)
        known = try Set(haves).union(store.newestCommits(Self.knownLimit))
    }

    /// The writes that open the session.
    public func start() -> [[UInt8]] {
        [client.request]
    }

    /// Takes bytes of the peer.
    ///
    /// - Throws: ``GitError`` when the peer breaks the protocol or its pack is broken or too large.
    public mutating func receive(_ bytes: some Collection<UInt8>) throws -> Step {
        try client.receive(bytes)
        var step = Step()
        while true {
            switch try client.next() {
            case .wait: return step
            case .write(let bytes): step.writes.append(bytes)
            case .fetched(let head, let pack):
                step.finished = FetchedHistory(head: head, objects: try PackReader.read(pack))
                return step
            case .advertised(let head) where known.contains(head):
                step.writes.append(client.decline())
                step.finished = FetchedHistory(head: head, objects: ObjectStore())
                return step
            case .advertised(let head):
                step.writes.append(client.want(head, haves: haves))
            }
        }
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

extension Conversations {
    /// A session that fetches from a device.
    public static func fetchSession(
        of id: ConversationID,
        from device: LongID,
        in database: Database
    ) throws -> FetchSession {
        try FetchSession(ConversationStore(database, id), device: device)
    }

    /// Fetches from a device over an open git channel: one session, after which the channel can be used again.
    ///
    /// Deadlines are the caller's: it closes the channel of a peer that takes too long, which ends `inbound`.
    ///
    /// - Parameters:
    ///   - inbound: what the peer writes, in any pieces.
    ///   - write: one write of the channel, at most 65535 bytes.
    /// - Returns: what to absorb; `nil` when the channel ended early.
    public static func fetch<Inbound: AsyncIteratorProtocol>(
        _ session: FetchSession,
        over inbound: inout Inbound,
        write: ([UInt8]) async throws -> Void
    ) async throws -> FetchedHistory? where Inbound.Element == [UInt8] {
        var session = session
        for bytes in session.start() { try await write(bytes) }
        while let bytes = try await inbound.next(isolation: #isolation) {
            let step = try session.receive(bytes)
            for bytes in step.writes { try await write(bytes) }
            if let fetched = step.finished { return fetched }
        }
        return nil
    }
}
