/// What the server side of a transport session reads; valid for the length of one call only.
public protocol UploadPackRepository: CommitGraph, ObjectSource {
    /// The commit that `HEAD` and `refs/heads/main` name.
    func head() throws -> ObjectID?
    /// The tree of a commit.
    func tree(of commit: ObjectID) throws -> ObjectID
}

/// What a peer got in one session that it brought to its end.
public struct UploadPackReport: Hashable, Sendable {
    /// The head that the peer was shown.
    public let shown: ObjectID
    /// The commit whose pack the peer took; `nil` when it wanted nothing.
    public let served: ObjectID?

    public init(shown: ObjectID, served: ObjectID?) {
        self.shown = shown
        self.served = served
    }
}

/// The serving side of git's upload-pack, for any number of sessions one after the other on one channel.
///
/// Bytes go in with ``receive(_:)`` in any pieces. ``next(in:)`` is called until it answers ``Action/wait``; each call reads
/// the repository for a moment and yields at most one write, so that nothing is held while the peer takes its time.
/// Source: conversations protocol, "Git transport".
public struct UploadPackServer: Sendable {
    public enum Action: Hashable, Sendable {
        /// Bytes for one write of the channel: whole packet lines, at most 65535 bytes.
        case write([UInt8])
        /// A session has ended well.
        case finished(UploadPackReport)
        /// Nothing to do until more bytes arrive.
        case wait
    }

    private struct Negotiation: Sendable {
        let shown: ObjectID
        var want: ObjectID?
        var packetSize = 0
        var common: [ObjectID] = []
        var haves = 0
        var havesSinceFlush = 0
        var served: ObjectID?
    }

    private struct Sending: Sendable {
        var plan: [ObjectID]
        var next = 0
        var writer: PackWriter
        var isFinished = false
    }

    private enum State: Sendable {
        case idle
        case negotiating(Negotiation)
        case sending(Negotiation, Sending)
    }

    /// How many commits of the peer are looked up in one session; further ones are ignored.
    public static let haveLimit = 4096
    /// How many bytes may wait unread: one line and what came with it in one piece.
    public static let inputLimit = 1 << 20

    private var state = State.idle
    private var lines = PacketLineReader()
    private var ready: [Action] = []

    public init() {}

    /// Takes bytes of the peer.
    public mutating func receive(_ bytes: some Collection<UInt8>) throws(GitError) {
        guard lines.waiting + bytes.count <= Self.inputLimit else { throw .limitExceeded("unread bytes of a session") }
        lines.append(bytes)
    }

    /// The next step of the session.
    ///
    /// - Throws: ``GitError`` when the peer breaks the protocol, and what the repository throws; the channel is then closed.
    public mutating func next(in repository: some UploadPackRepository) throws -> Action {
        while true {
            if !ready.isEmpty { return ready.removeFirst() }
            if case .sending(let negotiation, let sending) = state {
                state = .idle
                return .write(try send(negotiation, sending, from: repository))
            }
            guard let line = try lines.next() else { return .wait }
            try handle(line, in: repository)
        }
    }

    private mutating func handle(_ line: PacketLine, in repository: some UploadPackRepository) throws {
        guard case .data(let payload) = line else { return try handleFlush() }
        if payload.starts(with: "git-upload-pack ".utf8) { return try open(repository) }
        guard case .negotiating(var negotiation) = state else { return }
        state = .idle
        defer { if case .idle = state { state = .negotiating(negotiation) } }

        if payload.starts(with: "want ".utf8) {
            guard let id = ObjectID(hex: String(decoding: payload[5...].prefix(40), as: UTF8.self)) else {
                throw GitError.protocolViolation("want without a commit")
            }
            negotiation.want = id
            let words = payload.dropFirst(45).split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
            if words.contains(where: { $0.elementsEqual("side-band-64k".utf8) }) {
                negotiation.packetSize = SideBand.largePacket
            } else if words.contains(where: { $0.elementsEqual("side-band".utf8) }) {
                negotiation.packetSize = max(negotiation.packetSize, SideBand.smallPacket)
            }
        } else if payload.starts(with: "have ".utf8) {
            negotiation.haves += 1
            negotiation.havesSinceFlush += 1
            guard negotiation.haves <= Self.haveLimit,
                let id = ObjectID(hex: String(decoding: payload[5...].prefix(40), as: UTF8.self)),
                try repository.node(id) != nil
            else { return }
            negotiation.common.append(id)
        } else if payload.starts(with: "done".utf8) {
            guard let want = negotiation.want, try repository.node(want) != nil else {
                throw GitError.protocolViolation("done without a known want")
            }
            let answer = negotiation.common.first.map { "ACK \($0.hex)\n" } ?? "NAK\n"
            ready.append(.write(PacketLine.encode(answer)))
            let plan = try PackPlan.objects(for: want, excluding: negotiation.common, in: repository)
            state = .sending(negotiation, Sending(plan: plan, writer: PackWriter(count: plan.count)))
        }
    }

    /// Shows the head and starts a session.
    private mutating func open(_ repository: some UploadPackRepository) throws {
        reportServed()
        guard let head = try repository.head() else { throw GitError.protocolViolation("nothing to serve") }
        let first = "\(head.hex) HEAD\0side-band side-band-64k shallow no-progress include-tag\n"
        let lines = PacketLine.encode(first) + PacketLine.encode("\(head.hex) refs/heads/main\n")
        ready.append(.write(lines + PacketLine.flushBytes))
        state = .negotiating(Negotiation(shown: head))
    }

    private mutating func handleFlush() throws {
        guard case .negotiating(var negotiation) = state else { return }
        if negotiation.want == nil {
            ready.append(.finished(UploadPackReport(shown: negotiation.shown, served: negotiation.served)))
            state = .idle
            return
        }
        guard negotiation.havesSinceFlush > 0 else { return }
        negotiation.havesSinceFlush = 0
        // A bare NAK makes the client name older commits; an acknowledgement of an unknown one would stop its search.
        let answer = negotiation.common.first.map { PacketLine.encode("ACK \($0.hex) continue\n") } ?? []
        ready.append(.write(answer + PacketLine.encode("NAK\n")))
        state = .negotiating(negotiation)
    }

    /// A peer that asks again without ending its last session has nevertheless taken the pack.
    private mutating func reportServed() {
        guard case .negotiating(let negotiation) = state, let served = negotiation.served else { return }
        ready.append(.finished(UploadPackReport(shown: negotiation.shown, served: served)))
    }

    private mutating func send(
        _ negotiation: Negotiation,
        _ current: Sending,
        from repository: some UploadPackRepository
    ) throws -> [UInt8] {
        var sending = current
        let size = negotiation.packetSize == 0 ? SideBand.largePacket : negotiation.packetSize
        while sending.writer.pending < size, !sending.isFinished {
            if sending.next < sending.plan.count {
                let id = sending.plan[sending.next]
                guard let object = try repository.deflatedObject(id) else { throw GitError.missingObject(id) }
                sending.writer.append(object)
                sending.next += 1
            } else {
                sending.writer.finish()
                sending.isFinished = true
            }
        }
        let part = sending.writer.take(size)
        if sending.isFinished, sending.writer.pending == 0 {
            var ended = Negotiation(shown: negotiation.shown)
            ended.served = negotiation.want
            state = .negotiating(ended)
            if negotiation.packetSize > 0 { ready.append(.write(PacketLine.flushBytes)) }
        } else {
            state = .sending(negotiation, sending)
        }
        return negotiation.packetSize > 0 ? PacketLine.encode([SideBand.pack] + part) : part
    }
}

/// How a pack is wrapped in packet lines.
///
/// Source: gitprotocol-pack(5).
enum SideBand {
    static let pack: UInt8 = 1
    static let progress: UInt8 = 2
    static let failure: UInt8 = 3
    /// The most pack bytes in a packet of `side-band-64k`.
    static let largePacket = 65_515
    /// The most pack bytes in a packet of `side-band`.
    static let smallPacket = 995
}

/// Which objects a peer lacks.
enum PackPlan {
    /// How many commits of the peer have their trees opened to leave out what the peer holds.
    static let knownTreeLimit = 256

    /// The commits reachable from `want` and not from `known`, then their trees and blobs without those that the known
    /// commits next to them hold.
    static func objects(
        for want: ObjectID,
        excluding known: [ObjectID],
        in repository: some UploadPackRepository
    ) throws -> [ObjectID] {
        let (commits, boundary) = try repository.difference(from: [want], excluding: known)
        var seen: Set<ObjectID> = []
        var ignored: [ObjectID] = []
        for commit in boundary.sorted() + known.prefix(knownTreeLimit) {
            try collect(try repository.tree(of: commit), in: repository, seen: &seen, into: &ignored)
        }
        var objects = commits
        for commit in commits {
            try collect(try repository.tree(of: commit), in: repository, seen: &seen, into: &objects)
        }
        return objects
    }

    private static func collect(
        _ root: ObjectID,
        in source: some ObjectSource,
        seen: inout Set<ObjectID>,
        into objects: inout [ObjectID]
    ) throws {
        guard seen.insert(root).inserted else { return }
        objects.append(root)
        var pending = [root]
        while let tree = pending.popLast() {
            for entry in try source.tree(tree).entries where seen.insert(entry.id).inserted {
                objects.append(entry.id)
                if entry.isDirectory { pending.append(entry.id) }
            }
        }
    }
}
