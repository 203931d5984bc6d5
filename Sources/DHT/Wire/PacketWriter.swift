import Keys
import MessagePack

/// Writes messages in their canonical order of keys.
///
/// Source: DHT protocol, "Messages".
struct PacketWriter: Sendable {
    let id: InfoHash
    let network: UInt32
    let isClient: Bool

    // What does not change from message to message.

    /// Our id in a body.
    private let ownID: [UInt8]
    /// The end of most messages.
    private var ending: [UInt8] = []
    /// The beginnings of replies with as many entries in their body as the index, up to the address in it.
    private var replyHeads: [[UInt8]] = []
    /// The end of replies, behind the transaction.
    private var replyEnding: [UInt8] = []

    private static let mostReplyEntries = 8

    /// The agent has at most four characters; peers only show it.
    init(id: InfoHash, network: UInt32 = 0, isClient: Bool = false, agent: String = "ap1") {
        self.id = id
        self.network = network
        self.isClient = isClient
        var writer = MessagePackWriter()
        writer.write(key: "id")
        writer.write(id)
        ownID = writer.bytes
        writer.removeAll()
        writer.write(key: "v")
        writer.write(agent)
        writeExtras(to: &writer)
        ending = writer.bytes
        for entries in 0...Self.mostReplyEntries {
            writer.removeAll()
            writer.writeMapHeader(count: 4 + extras)
            writer.write(key: "r")
            writer.writeMapHeader(count: entries)
            writeID(to: &writer)
            replyHeads.append(writer.bytes)
        }
        writer.removeAll()
        writer.write(key: "y")
        writer.write(key: "r")
        writer.write(encoded: ending)
        replyEnding = writer.bytes
    }

    private var extras: Int { (network == 0 ? 0 : 1) + (isClient ? 1 : 0) }

    private func writeExtras(to writer: inout MessagePackWriter) {
        if network != 0 {
            writer.write(key: "n")
            writer.write(network)
        }
        if isClient {
            writer.write(key: "s")
            writer.write(true)
        }
    }

    private func writeID(to writer: inout MessagePackWriter) {
        writer.write(encoded: ownID)
    }

    // MARK: Requests

    /// A request with a body of the given number of entries besides the sender's id.
    private func request(
        _ method: Method,
        _ transaction: UInt32,
        entries: Int,
        to writer: inout MessagePackWriter,
        body: (inout MessagePackWriter) -> Void
    ) {
        writer.writeMapHeader(count: 5 + extras)
        writer.write(key: "a")
        writer.writeMapHeader(count: 1 + entries)
        writeID(to: &writer)
        body(&writer)
        writer.write(key: "q")
        writer.write(key: method.name)
        writer.write(key: "t")
        writer.write(transaction)
        writer.write(key: "y")
        writer.write(key: "q")
        writer.write(encoded: ending)
    }

    func ping(_ transaction: UInt32, to writer: inout MessagePackWriter) {
        request(.ping, transaction, entries: 0, to: &writer) { _ in }
    }

    func find(
        _ transaction: UInt32,
        target: InfoHash,
        want: Endpoint.Families? = nil,
        to writer: inout MessagePackWriter
    ) {
        request(.find, transaction, entries: want == nil ? 1 : 2, to: &writer) { writer in
            writer.write(key: "target")
            writer.write(target)
            if let want { Self.write(want, to: &writer) }
        }
    }

    func get(
        _ transaction: UInt32,
        key: InfoHash,
        query: Query,
        want: Endpoint.Families? = nil,
        to writer: inout MessagePackWriter
    ) {
        let entries = 1 + (query.isEmpty ? 0 : 1) + (want == nil ? 0 : 1)
        request(.get, transaction, entries: entries, to: &writer) { writer in
            writer.write(key: "h")
            writer.write(key)
            if !query.isEmpty {
                writer.write(key: "q")
                query.write(to: &writer)
            }
            if let want { Self.write(want, to: &writer) }
        }
    }

    func put(
        _ transaction: UInt32,
        key: InfoHash,
        values: OutgoingValues,
        created: Int64?,
        token: [UInt8],
        to writer: inout MessagePackWriter
    ) {
        request(.put, transaction, entries: created == nil ? 3 : 4, to: &writer) { writer in
            writer.write(key: "h")
            writer.write(key)
            values.write(to: &writer)
            if let created {
                writer.write(key: "c")
                writer.write(created)
            }
            writer.write(key: "token")
            writer.write(binary: token)
        }
    }

    func refresh(
        _ transaction: UInt32,
        key: InfoHash,
        valueID: UInt64,
        token: [UInt8],
        to writer: inout MessagePackWriter
    ) {
        request(.refresh, transaction, entries: 3, to: &writer) { writer in
            writer.write(key: "h")
            writer.write(key)
            writer.write(key: "vid")
            writer.write(valueID)
            writer.write(key: "token")
            writer.write(binary: token)
        }
    }

    func listen(
        _ transaction: UInt32,
        key: InfoHash,
        socket: UInt32,
        query: Query,
        token: [UInt8],
        to writer: inout MessagePackWriter
    ) {
        request(.listen, transaction, entries: query.isEmpty ? 4 : 5, to: &writer) { writer in
            writer.write(key: "ve")
            writer.write(WireConstants.listenVersion)
            writer.write(key: "h")
            writer.write(key)
            writer.write(key: "token")
            writer.write(binary: token)
            writer.write(key: "sid")
            writer.write(socket)
            if !query.isEmpty {
                writer.write(key: "q")
                query.write(to: &writer)
            }
        }
    }

    func update(
        _ transaction: UInt32,
        key: InfoHash,
        socket: UInt32,
        values: OutgoingValues,
        token: [UInt8],
        to writer: inout MessagePackWriter
    ) {
        request(.update, transaction, entries: 5, to: &writer) { writer in
            writer.write(key: "ve")
            writer.write(WireConstants.listenVersion)
            writer.write(key: "h")
            writer.write(key)
            writer.write(key: "sid")
            writer.write(socket)
            values.write(to: &writer)
            writer.write(key: "token")
            writer.write(binary: token)
        }
    }

    /// Tells a listener which values expired or had their life extended.
    func update(
        _ transaction: UInt32,
        socket: UInt32,
        change: ValueChange,
        ids: [UInt64],
        token: [UInt8],
        to writer: inout MessagePackWriter
    ) {
        writer.writeMapHeader(count: 5 + extras)
        writer.write(key: "a")
        writer.writeMapHeader(count: 4)
        writeID(to: &writer)
        writer.write(key: "sid")
        writer.write(socket)
        writer.write(key: "token")
        writer.write(binary: token)
        writer.write(key: change == .expired ? "exp" : "re")
        writer.writeArrayHeader(count: ids.count)
        for id in ids { writer.write(id) }
        writer.write(key: "y")
        writer.write(key: "q")
        writer.write(encoded: ending)
        writer.write(key: "q")
        writer.write(key: "update")
        writer.write(key: "t")
        writer.write(transaction)
    }

    private static func write(_ want: Endpoint.Families, to writer: inout MessagePackWriter) {
        let families =
            (want.contains(.ipv4) ? [WireConstants.familyIPv4] : [])
            + (want.contains(.ipv6) ? [WireConstants.familyIPv6] : [])
        writer.write(key: "w")
        writer.writeArrayHeader(count: families.count)
        for family in families { writer.write(family) }
    }

    // MARK: Answers

    private func reply(
        _ transaction: UInt32,
        entries: Int,
        to writer: inout MessagePackWriter,
        body: (inout MessagePackWriter) -> Void
    ) {
        writer.write(encoded: replyHeads[1 + entries])
        body(&writer)
        writer.write(key: "t")
        writer.write(transaction)
        writer.write(encoded: replyEnding)
    }

    /// The answer to ping and update, and with a token to listen.
    func acknowledgement(
        _ transaction: UInt32,
        to requester: Endpoint,
        token: [UInt8]? = nil,
        to writer: inout MessagePackWriter
    ) {
        reply(transaction, entries: token == nil ? 1 : 2, to: &writer) { writer in
            Self.writeAddress(of: requester, to: &writer)
            if let token {
                writer.write(key: "token")
                writer.write(binary: token)
            }
        }
    }

    /// The answer to put and refresh.
    func confirmation(
        _ transaction: UInt32,
        of valueID: UInt64,
        to requester: Endpoint,
        to writer: inout MessagePackWriter
    ) {
        reply(transaction, entries: 2, to: &writer) { writer in
            writer.write(key: "vid")
            writer.write(valueID)
            Self.writeAddress(of: requester, to: &writer)
        }
    }

    /// What a find or a get is answered.
    struct Answer {
        var nodes4: [Contact] = []
        var nodes6: [Contact] = []
        var token: [UInt8]
        var values = OutgoingValues.none
        /// Rows of these fields of these values stand instead of whole values.
        var rows: (fields: [ValueField], values: [Value])?
    }

    func answer(
        _ transaction: UInt32,
        _ answer: Answer,
        to requester: Endpoint,
        to writer: inout MessagePackWriter
    ) {
        let entries =
            2 + (answer.nodes4.isEmpty ? 0 : 1) + (answer.nodes6.isEmpty ? 0 : 1)
            + (answer.values.encoded.isEmpty ? 0 : 1) + (answer.rows == nil ? 0 : 1)
        reply(transaction, entries: entries, to: &writer) { writer in
            Self.writeAddress(of: requester, to: &writer)
            if !answer.nodes4.isEmpty {
                writer.write(key: "n4")
                CompactNodes.write(answer.nodes4, to: &writer)
            }
            if !answer.nodes6.isEmpty {
                writer.write(key: "n6")
                CompactNodes.write(answer.nodes6, to: &writer)
            }
            writer.write(key: "token")
            writer.write(binary: answer.token)
            if !answer.values.encoded.isEmpty { answer.values.write(to: &writer) }
            if let rows = answer.rows {
                writer.write(key: "fileds")
                FieldRows.write(rows.fields, of: rows.values, to: &writer)
            }
        }
    }

    func failure(_ transaction: UInt32, _ failure: ProtocolFailure, to writer: inout MessagePackWriter) {
        writer.writeMapHeader(count: 5 + extras)
        writer.write(key: "e")
        writer.writeArrayHeader(count: 2)
        writer.write(failure.code)
        writer.write(failure.text)
        writer.write(key: "r")
        writer.writeMapHeader(count: 1)
        writeID(to: &writer)
        writer.write(key: "t")
        writer.write(transaction)
        writer.write(key: "y")
        writer.write(key: "e")
        writer.write(encoded: ending)
    }

    private static func writeAddress(of endpoint: Endpoint, to writer: inout MessagePackWriter) {
        writer.write(key: "sa")
        switch endpoint.family {
        case .ipv4:
            writer.writeBinaryHeader(count: 4)
            writer.write(word: UInt32(truncatingIfNeeded: endpoint.low))
        case .ipv6:
            writer.writeBinaryHeader(count: 16)
            writer.write(word: endpoint.high)
            writer.write(word: endpoint.low)
        }
    }

    // MARK: Parts

    /// One piece of the value at an index.
    func part(
        _ transaction: UInt32,
        index: Int,
        offset: Int,
        bytes: ArraySlice<UInt8>,
        to writer: inout MessagePackWriter
    ) {
        writer.writeMapHeader(count: 3 + extras)
        writeExtras(to: &writer)
        writer.write(key: "y")
        writer.write(key: "p")
        writer.write(key: "t")
        writer.write(transaction)
        writer.write(key: "p")
        writer.writeMapHeader(count: 1)
        writer.write(UInt64(index))
        writer.writeMapHeader(count: 2)
        writer.write(key: "o")
        writer.write(UInt64(offset))
        writer.write(key: "d")
        writer.write(binary: bytes)
    }
}

/// What happened to stored values without a change of their content.
enum ValueChange: Sendable, Equatable {
    case expired, refreshed
}

/// The errors that requests are answered with.
///
/// Source: DHT protocol, "Errors".
enum ProtocolFailure: Sendable, Equatable {
    case noKey(Method)
    case invalidID
    case wrongToken(Method)
    case unknownStorage

    var code: UInt64 {
        switch self {
        case .noKey, .invalidID: 203
        case .wrongToken: 401
        case .unknownStorage: 404
        }
    }

    var text: String {
        switch self {
        case .noKey(.listen): "Listen with no info_hash"
        case .noKey(.put): "Put with no info_hash"
        case .noKey: "Get_values with no info_hash"
        case .invalidID: "Put with invalid ID"
        case .wrongToken(.listen): "Listen with incorrect token"
        case .wrongToken: "Put with incorrect token"
        case .unknownStorage: "Access operation for unknown storage"
        }
    }
}
