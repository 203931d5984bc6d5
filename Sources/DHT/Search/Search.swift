import Keys
import Runtime

/// Names a search.
struct SearchID: Hashable, Sendable {
    let key: InfoHash
    let family: Endpoint.Family

    func hash(into hasher: inout Hasher) {
        key.hash(into: &hasher)
    }
}

/// What the user wants at a key.
///
/// The searches of both families work on it.
final class Wanted {
    var gets: [Get] = []
    var announces: [Announce] = []
    var listens: [Listen] = []

    var isEmpty: Bool { gets.isEmpty && announces.isEmpty && listens.isEmpty }
}

/// How far an operation is in the families whose searches work on it.
struct Parts: Sendable {
    /// Where it is not over yet.
    private(set) var open: Endpoint.Families
    private(set) var hasSucceeded = false

    init(_ families: Endpoint.Families) {
        open = families
    }

    mutating func end(_ family: Endpoint.Family, succeeded: Bool) {
        open.remove(Endpoint.Families(family))
        if succeeded { hasSucceeded = true }
    }

    /// Whether the operation is over; where no node is known to be there, nobody waits once it has succeeded elsewhere.
    func areOver(connected: Endpoint.Families) -> Bool {
        open.isEmpty || hasSucceeded && open.isDisjoint(with: connected)
    }
}

/// The way to the nodes of one family closest to a key, and what is to be done with them.
///
/// Source: DHT protocol, "Searches". A class, since the core changes it while it looks at nodes and requests; it never
/// leaves the core.
final class Search {
    let id: SearchID
    let wanted: Wanted
    /// Sorted by distance to the key.
    var nodes: [SearchNode] = []
    /// It only wants to know its nodes, once.
    var isLookup = false
    var lastRefill = Instant.longAgo
    /// When one of the closest nodes was last asked who else is there.
    var lastWatch = Instant.longAgo
    var lastStep: Instant
    /// When it is to run again at the latest.
    var wake = Instant.distantFuture
    var isDirty = false

    init(id: SearchID, wanted: Wanted, now: Instant) {
        self.id = id
        self.wanted = wanted
        lastStep = now
    }

    var key: InfoHash { id.key }
    var family: Endpoint.Family { id.family }

    var gets: [Get] {
        _read { yield wanted.gets }
        _modify { yield &wanted.gets }
    }

    var announces: [Announce] {
        _read { yield wanted.announces }
        _modify { yield &wanted.announces }
    }

    var listens: [Listen] {
        _read { yield wanted.listens }
        _modify { yield &wanted.listens }
    }

    var isActive: Bool { isLookup || !wanted.isEmpty }

    /// Whether it goes on for as long as the user wants.
    var isLasting: Bool { !listens.isEmpty || announces.contains(where: \.isPermanent) }

    func position(of index: NodeIndex) -> Int? {
        nodes.firstIndex { $0.index == index }
    }
}

/// A get that is under way.
struct Get {
    let operation: OperationID
    /// What other nodes are asked.
    let query: Query
    /// What the user wants to have.
    let asked: Query
    let deadline: Instant
    var parts: Parts
    var seen: Set<ValueMark> = []
    /// Only when it is fields that are looked for.
    var rows: FoundRows?

    var hasFound: Bool { rows.map { !$0.isEmpty } ?? !seen.isEmpty }
}

/// A value that is being put, or kept in the network.
struct Announce {
    let id: UInt64
    var value: Value
    var encoded: [UInt8]
    /// Unix seconds.
    let created: Int64
    let isPermanent: Bool
    /// It is a value of others, which nodes that have it need not keep longer.
    var isHandedOn = false
    /// Another value may stand under the same id, so nodes are asked before.
    let needsProbe: Bool
    let deadline: Instant
    var parts: Parts
    /// Who waits for the first acknowledgement by the cluster.
    var waiting: [OperationID]
    /// How long other nodes keep it.
    let lifetime: Duration

    /// How long after an acknowledgement the value is refreshed: some time before it would expire.
    var refreshInterval: Duration { lifetime - min(Timing.announceMargin, lifetime / 2) }
}

/// One listening at a key, shared by all listeners who ask the same.
struct Listen {
    let id: UInt64
    /// What other nodes are asked.
    let query: Query
    var listeners: [Listener]
    var cache: ListenCache
    /// When it ends, after its last listener left.
    var lingersUntil: Instant?

    /// Whether a registration of it is to be kept alive.
    func isRenewed(_ listening: SearchNode.Listening) -> Bool {
        listening.listen == id && lingersUntil == nil
    }
}

/// Somebody who listens.
struct Listener {
    let operation: OperationID
    let filters: [ValueFilter]
}

/// A node of a search, and how far things are with it.
struct SearchNode {
    enum Announcing: Equatable {
        case probing
        case sending
        case acknowledged(Instant)
        /// The node keeps a signed value under this id.
        case refused
    }

    struct Listening {
        let listen: UInt64
        let socket: UInt32
        var isPending = true
        var lastReply = Instant.longAgo
        var firstReply = Instant.distantFuture

        init(listen: UInt64, socket: UInt32) {
            self.listen = listen
            self.socket = socket
        }

        mutating func confirm(_ now: Instant) {
            isPending = false
            lastReply = now
            firstReply = min(firstReply, now)
        }
    }

    let index: NodeIndex
    let id: InfoHash
    var token: [UInt8] = []
    var lastGetReply = Instant.longAgo
    /// A request to it is slow, so others stand in for it.
    var isCandidate = false
    /// The find or get that waits for its answer.
    var pending: UInt32?
    /// It answers a get value by value.
    var paging: Paging?
    /// When it was last asked.
    var lastAsked = Instant.longAgo
    var isProbing = false
    /// The announces that the probe under way is for.
    var probed: [UInt64] = []
    var answered: [OperationID] = []
    var announcing: [UInt64: Announcing] = [:]
    var listening: [Listening] = []

    init(index: NodeIndex, id: InfoHash) {
        self.index = index
        self.id = id
    }

    var isBusy: Bool { pending != nil || paging != nil }

    func isSynced(at now: Instant) -> Bool {
        !token.isEmpty && now - lastGetReply < Timing.syncLifetime
    }
}

/// Tells values apart by id and content.
struct ValueMark: Hashable {
    let id: UInt64
    let digest: Int

    init(_ value: Value) {
        id = value.id
        var hasher = Hasher()
        if value.isEncrypted {
            hasher.combine(bytes: value.cypher)
        } else {
            if let owner = value.owner { hasher.combine(bytes: owner) }
            hasher.combine(value.type)
            hasher.combine(bytes: value.data)
            hasher.combine(value.userType)
            hasher.combine(bytes: value.signature)
        }
        digest = hasher.finalize()
    }
}

extension Hasher {
    fileprivate mutating func combine(bytes: [UInt8]) {
        combine(bytes.count)
        // Borrowed for the call only.
        unsafe bytes.withUnsafeBytes { unsafe combine(bytes: $0) }
    }
}
