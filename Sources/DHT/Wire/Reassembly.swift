import MessagePack
import Runtime

/// Puts together the values that follow their message in parts, in whatever order they arrive.
///
/// Sessions are keyed by sender and transaction, and bounded in number, bytes and time. Parts that arrive before their
/// message are kept too. Source: DHT protocol, "Value arrays and fragmentation".
struct Reassembly: Sendable {
    struct Limits: Sendable {
        var sessions = 512
        /// Of one address, or one IPv6 network.
        var sessionsPerSender = 64
        /// Of which only parts have come, which anybody can send.
        var earlySessions = 128
        /// Pieces of one value; usual ones have ``WireConstants/partSize`` bytes.
        var piecesPerValue = 512
        /// Bytes in all sessions together.
        var bytes = 32 << 20
        /// Bytes of parts that wait for their message, in all sessions together.
        var earlyBytes = 1 << 20
        var lifetime = Duration.seconds(10)
        var silence = Duration.seconds(3)
    }

    struct Key: Hashable, Sendable {
        var sender: Endpoint
        var transaction: UInt32
    }

    /// A message all of whose values have arrived.
    struct Whole: Sendable {
        var message: [UInt8]
        var values: [Value]
    }

    private struct Piece: Sendable {
        var index: Int
        var offset: Int
        var bytes: [UInt8]

        /// What it takes to keep it.
        var cost: Int { bytes.count + 64 }
    }

    private struct Partial: Sendable {
        let index: Int
        let size: Int
        var received = 0
        /// Sorted by offset, without overlaps.
        var pieces: [Piece] = []

        mutating func add(_ piece: Piece, limit: Int) -> Bool {
            guard !piece.bytes.isEmpty, pieces.count < limit, piece.offset + piece.bytes.count <= size else {
                return false
            }
            let place = pieces.firstIndex { $0.offset >= piece.offset } ?? pieces.endIndex
            if place > 0, pieces[place - 1].offset + pieces[place - 1].bytes.count > piece.offset { return false }
            if place < pieces.count, piece.offset + piece.bytes.count > pieces[place].offset { return false }
            pieces.insert(piece, at: place)
            received += piece.bytes.count
            return true
        }
    }

    private struct Session: Sendable {
        let started: Instant
        var lastPart: Instant
        /// Empty as long as only parts have come.
        var message: [UInt8] = []
        var values: [Value] = []
        var partials: [Partial] = []
        var early: [Piece] = []
        var bytes = 0

        var isWhole: Bool { !message.isEmpty && partials.allSatisfy { $0.received == $0.size } }
    }

    var limits = Limits()
    private var sessions: [Key: Session] = [:]
    private var bytes = 0
    private var earlyBytes = 0
    private var lastExpiry = Instant.longAgo

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    var isEmpty: Bool { sessions.isEmpty }
    var count: Int { sessions.count }

    /// Opens a session for a message that announced sizes.
    ///
    /// - Returns: the whole message if all its parts had come before it.
    mutating func open(_ key: Key, message: [UInt8], values: ValueArray, now: Instant) -> Whole? {
        expire(at: now)
        var session = sessions.removeValue(forKey: key) ?? Session(started: now, lastPart: now)
        guard session.message.isEmpty else {
            // The message was sent again; the session goes on collecting what is missing.
            sessions[key] = session
            return nil
        }
        let early = session.early
        bytes -= session.bytes
        earlyBytes -= session.bytes
        session.early = []
        guard hasRoom(for: key), bytes + message.count <= limits.bytes else { return nil }
        session.message = message
        session.values = values.values
        session.bytes = message.count
        session.partials = values.announced.map { Partial(index: $0.index, size: $0.size) }
        bytes += message.count
        for piece in early { add(piece, to: &session) }
        return finish(key, session)
    }

    /// Takes one part packet.
    ///
    /// - Returns: the whole message if this was the last part.
    mutating func add(
        _ datagram: RawSpan,
        parts: Range<Int>,
        key: Key,
        limits wireLimits: WireLimits,
        now: Instant
    ) throws(WireError) -> Whole? {
        expire(at: now)
        let pieces = try Self.read(datagram.extracting(parts), limits: wireLimits)
        guard !pieces.isEmpty else { return nil }
        guard var session = sessions.removeValue(forKey: key) else {
            keepEarly(pieces, key: key, session: Session(started: now, lastPart: now))
            return nil
        }
        session.lastPart = now
        guard !session.message.isEmpty else {
            keepEarly(pieces, key: key, session: session)
            return nil
        }
        for piece in pieces { add(piece, to: &session) }
        return finish(key, session)
    }

    private mutating func add(_ piece: Piece, to session: inout Session) {
        guard bytes + piece.cost <= limits.bytes,
            let index = session.partials.firstIndex(where: { $0.index == piece.index }),
            session.partials[index].add(piece, limit: limits.piecesPerValue)
        else { return }
        session.bytes += piece.cost
        bytes += piece.cost
    }

    private mutating func keepEarly(_ pieces: [Piece], key: Key, session: Session) {
        var session = session
        let added = pieces.reduce(0) { $0 + $1.cost }
        let isKept = !session.early.isEmpty || hasRoom(for: key) && hasRoomForEarly
        if isKept, earlyBytes + added <= limits.earlyBytes, bytes + added <= limits.bytes {
            session.early += pieces
            session.bytes += added
            earlyBytes += added
            bytes += added
        }
        guard !session.early.isEmpty else { return }
        sessions[key] = session
    }

    private func hasRoom(for key: Key) -> Bool {
        guard sessions.count < limits.sessions else { return false }
        guard sessions.count >= limits.sessionsPerSender else { return true }
        let group = key.sender.quotaGroup
        return sessions.keys.count { $0.sender.quotaGroup == group } < limits.sessionsPerSender
    }

    private var hasRoomForEarly: Bool {
        sessions.count < limits.earlySessions || sessions.values.count { $0.message.isEmpty } < limits.earlySessions
    }

    private mutating func finish(_ key: Key, _ session: Session) -> Whole? {
        guard session.isWhole else {
            sessions[key] = session
            return nil
        }
        bytes -= session.bytes
        var values = session.values
        for partial in session.partials {
            let encoded = partial.pieces.flatMap { $0.bytes }
            if let value = try? Value(decoding: encoded) { values.append(value) }
        }
        return Whole(message: session.message, values: values)
    }

    /// When the last part of a message came, and how many values it announced; `nil` when it has not come itself.
    func progress(of key: Key) -> (lastPart: Instant, values: Int)? {
        guard let session = sessions[key], !session.message.isEmpty else { return nil }
        return (session.lastPart, session.partials.count)
    }

    /// The values of an unfinished message that came whole.
    func wholeValues(of key: Key) -> [Value] {
        guard let session = sessions[key] else { return [] }
        let whole = session.partials.filter { $0.received == $0.size }
        return session.values + whole.compactMap { try? Value(decoding: $0.pieces.flatMap(\.bytes)) }
    }

    /// Gives up a message.
    mutating func forget(_ key: Key) {
        guard let session = sessions.removeValue(forKey: key) else { return }
        bytes -= session.bytes
        if session.message.isEmpty { earlyBytes -= session.bytes }
    }

    /// Forgets sessions that took too long.
    mutating func expire(at now: Instant) {
        guard !sessions.isEmpty, now - lastExpiry >= .milliseconds(500) else { return }
        lastExpiry = now
        for (key, session) in sessions
        where now - session.started >= limits.lifetime || now - session.lastPart >= limits.silence {
            bytes -= session.bytes
            if session.message.isEmpty { earlyBytes -= session.bytes }
            sessions[key] = nil
        }
    }

    private static func read(_ bytes: RawSpan, limits: WireLimits) throws(WireError) -> [Piece] {
        var reader = MessagePackReader(bytes, limits: limits.messagePack)
        let count = try reader.object { (reader) throws(MessagePackError) in try reader.readMapHeader() }
        guard count <= limits.values else { throw .tooLarge("\(count) parts") }
        var pieces: [Piece] = []
        for _ in 0..<count {
            let index = try reader.number()
            var offset: UInt64?
            var content: [UInt8]?
            try reader.readEntries { (reader, key) throws(WireError) in
                if reader.text(at: key, equals: "o") {
                    offset = try reader.number()
                } else if reader.text(at: key, equals: "d") {
                    content = try reader.readBlob()
                } else {
                    try reader.skipObject()
                }
            }
            guard let offset, let content else { throw .missing("o or d") }
            guard index <= UInt64(limits.values), offset <= UInt64(limits.value) else { throw .invalid("part") }
            pieces.append(Piece(index: Int(index), offset: Int(offset), bytes: content))
        }
        return pieces
    }
}
