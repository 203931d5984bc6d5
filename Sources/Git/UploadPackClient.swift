/// The fetching side of one session of git's upload-pack.
///
/// The caller writes ``request`` first, feeds what arrives to ``receive(_:)`` and follows ``next()``; when the head is shown
/// it answers with ``decline()`` or ``want(_:haves:)``. Source: conversations protocol, "Git transport" and "Client duties".
public struct UploadPackClient: Sendable {
    public enum Action: Hashable, Sendable {
        /// The other side has this head: answer with ``UploadPackClient/decline()`` or ``UploadPackClient/want(_:haves:)``.
        case advertised(ObjectID)
        /// The session is over for the other side once these bytes are written; then comes ``fetched(head:pack:)``.
        case write([UInt8])
        /// A whole pack, its trailing hash checked.
        case fetched(head: ObjectID, pack: [UInt8])
        case wait
    }

    private enum State: Sendable {
        case readingReferences(head: ObjectID?, main: ObjectID?, count: Int)
        case deciding
        case readingAnswers(head: ObjectID)
        case readingPack(head: ObjectID, pack: [UInt8])
        case complete(head: ObjectID, pack: [UInt8])
        case over
    }

    /// The most references that are read.
    public static let referenceLimit = 4096
    /// The most commits that are named in one write: it stays below 65535 bytes.
    public static let haveLimit = 1300

    /// The first bytes of a session.
    public let request: [UInt8]
    private let limits: PackLimits
    private var state = State.readingReferences(head: nil, main: nil, count: 0)
    private var lines = PacketLineReader()

    /// A session for the conversation named `repository` with the device named `host`.
    public init(repository: String, host: String, limits: PackLimits = .standard) {
        request = PacketLine.encode("git-upload-pack /\(repository)\0host=\(host)\0")
        self.limits = limits
    }

    public mutating func receive(_ bytes: some Collection<UInt8>) throws(GitError) {
        guard lines.waiting + bytes.count <= UploadPackServer.inputLimit else {
            throw .limitExceeded("unread bytes of a session")
        }
        lines.append(bytes)
    }

    /// Ends the session without a pack.
    ///
    /// - Returns: the bytes to write.
    public mutating func decline() -> [UInt8] {
        state = .over
        return PacketLine.flushBytes
    }

    /// Asks for a commit with all that leads to it.
    ///
    /// Of our own commits at most ``haveLimit`` are named, best guesses for a common one first. The bytes are for one single
    /// write.
    public mutating func want(_ head: ObjectID, haves: [ObjectID]) -> [UInt8] {
        state = .readingAnswers(head: head)
        var bytes = PacketLine.encode("want \(head.hex) side-band-64k include-tag \n") + PacketLine.flushBytes
        for id in haves.prefix(Self.haveLimit) { bytes += PacketLine.encode("have \(id.hex)\n") }
        return bytes + PacketLine.encode("done\n")
    }

    /// The next step of the session.
    public mutating func next() throws(GitError) -> Action {
        while true {
            switch state {
            case .deciding, .over:
                return .wait
            case .complete(let head, let pack):
                state = .over
                return .fetched(head: head, pack: pack)
            case .readingReferences(let head, let main, let count):
                guard let line = try lines.next() else { return .wait }
                if let advertised = try readReference(line, head, main, count) { return .advertised(advertised) }
            case .readingAnswers(let head):
                guard let line = try lines.next() else { return .wait }
                try readAnswer(line, head)
            case .readingPack(let head, var pack):
                state = .over
                guard let line = try lines.next() else {
                    state = .readingPack(head: head, pack: pack)
                    return .wait
                }
                guard try append(line, to: &pack) else {
                    try PackReader.check(pack, limits: limits)
                    state = .complete(head: head, pack: pack)
                    return .write(PacketLine.flushBytes)
                }
                state = .readingPack(head: head, pack: pack)
            }
        }
    }

    private mutating func readReference(
        _ line: PacketLine,
        _ head: ObjectID?,
        _ main: ObjectID?,
        _ count: Int
    ) throws(GitError) -> ObjectID? {
        guard case .data(let payload) = line else {
            guard let advertised = head ?? main else { throw .protocolViolation("no head to fetch") }
            state = .deciding
            return advertised
        }
        guard count < Self.referenceLimit else { throw .limitExceeded("references of a repository") }
        if payload.starts(with: "ERR ".utf8) { throw .protocolViolation("refused by the other side") }
        let id = ObjectID(hex: String(decoding: payload.prefix(40), as: UTF8.self))
        let name = payload.dropFirst(41).prefix { $0 != 0 && $0 != UInt8(ascii: "\n") }
        let isHead = head == nil && name.elementsEqual("HEAD".utf8)
        let isMain = main == nil && name.elementsEqual("refs/heads/main".utf8)
        state = .readingReferences(head: isHead ? id : head, main: isMain ? id : main, count: count + 1)
        return nil
    }

    private mutating func readAnswer(_ line: PacketLine, _ head: ObjectID) throws(GitError) {
        guard case .data(let payload) = line else { throw .protocolViolation("no pack") }
        if payload.starts(with: "ACK ".utf8) || payload.starts(with: "NAK".utf8) { return }
        if payload.starts(with: "ERR ".utf8) { throw .protocolViolation("refused by the other side") }
        var pack: [UInt8] = []
        guard try append(line, to: &pack) else { throw .protocolViolation("no pack") }
        state = .readingPack(head: head, pack: pack)
    }

    /// Whether the pack goes on.
    private func append(_ line: PacketLine, to pack: inout [UInt8]) throws(GitError) -> Bool {
        guard case .data(let payload) = line else { return false }
        switch payload.first {
        case SideBand.pack:
            guard pack.count + payload.count - 1 <= limits.packBytes else { throw .limitExceeded("size of a pack") }
            pack.append(contentsOf: payload.dropFirst())
        case SideBand.progress: break
        case SideBand.failure: throw .protocolViolation("the other side failed")
        default: throw .protocolViolation("unknown band")
        }
        return true
    }
}
