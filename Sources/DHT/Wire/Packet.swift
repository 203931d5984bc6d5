import Keys
import MessagePack

/// What a request asks for.
enum Method: UInt8, CaseIterable, Sendable {
    case ping, find, get, put, listen, refresh, update

    var name: StaticString {
        switch self {
        case .ping: "ping"
        case .find: "find"
        case .get: "get"
        case .put: "put"
        case .listen: "listen"
        case .refresh: "refresh"
        case .update: "update"
        }
    }
}

/// One received datagram, taken apart without copying: every field that is not a word is a range of the datagram.
///
/// Source: DHT protocol, "Message envelope".
struct Packet: Sendable {
    enum Kind: Equatable, Sendable {
        case request(Method)
        case reply
        case failure(code: UInt64)
        /// Expired or refreshed ids for a listener of the oldest protocol.
        case legacyUpdate
        /// A piece of a value that did not fit into its message.
        case part
    }

    var kind = Kind.reply
    var transaction: UInt32 = 0
    var network: UInt32 = 0
    var isClient = false

    var sender = InfoHash.zero
    var key = InfoHash.zero
    var target = InfoHash.zero
    /// The address families that a request wants nodes of.
    var want: Endpoint.Families?
    var version: UInt64 = 0
    var socket: UInt32 = 0
    var valueID: UInt64 = 0
    /// Unix seconds.
    var created: Int64?
    var query: Query?
    var token: Range<Int>?
    var address: Range<Int>?
    var nodes4: Range<Int>?
    var nodes6: Range<Int>?
    var expired: [UInt64] = []
    var refreshed: [UInt64] = []
    /// The array of values or of their sizes, header included.
    var values: Range<Int>?
    /// Field rows, map header included.
    var fields: Range<Int>?
    /// The pieces of a part, map header included.
    var parts: Range<Int>?
}

// MARK: - Decoding

extension Packet {
    /// Reads one datagram.
    init(decoding bytes: RawSpan, limits: WireLimits = .standard) throws(WireError) {
        var reader = MessagePackReader(bytes, limits: limits.messagePack)
        var envelope = Envelope()
        try reader.readEntries { (reader, key) throws(WireError) in
            try envelope.read(key, from: &reader, into: &self, limits: limits)
        }
        try finish(envelope)
    }

    private struct Envelope {
        var arguments = false
        var reply = false
        var update = false
        var failureCode: UInt64?
        var method: Method?
        var isMarkedQuery = true
        var hasTransaction = false

        mutating func read(
            _ key: Range<Int>,
            from reader: inout MessagePackReader,
            into packet: inout Packet,
            limits: WireLimits
        ) throws(WireError) {
            guard key.count == 1 else { return try reader.skipObject() }
            switch reader.bytes.byte(at: key.lowerBound) {
            case UInt8(ascii: "a"):
                arguments = true
                try packet.readBody(&reader, limits: limits)
            case UInt8(ascii: "r"):
                // A body in `a` goes before one in `r`.
                guard !arguments else { return try reader.skipObject() }
                reply = true
                try packet.readBody(&reader, limits: limits)
            case UInt8(ascii: "u"):
                guard !arguments, !reply else { return try reader.skipObject() }
                update = true
                try packet.readBody(&reader, limits: limits)
            case UInt8(ascii: "p"):
                packet.parts = try reader.object { (reader) throws(MessagePackError) in try reader.skip() }
            case UInt8(ascii: "e"):
                failureCode = try Self.readFailure(&reader)
            case UInt8(ascii: "q"):
                let range = try reader.object { (reader) throws(MessagePackError) in try reader.readTextRange() }
                method = Method(reader.bytes, at: range)
            case UInt8(ascii: "y"):
                let range = try reader.object { (reader) throws(MessagePackError) in try reader.readTextRange() }
                isMarkedQuery = reader.text(at: range, equals: "q")
            case UInt8(ascii: "t"):
                packet.transaction = try reader.readIdentifier()
                hasTransaction = true
            case UInt8(ascii: "n"):
                packet.network = try reader.object { (reader) throws(MessagePackError) in
                    try reader.readUnsigned(UInt32.self)
                }
            case UInt8(ascii: "s"):
                packet.isClient = try reader.object { (reader) throws(MessagePackError) in try reader.readBoolean() }
            default:
                try reader.skipObject()
            }
        }

        private static func readFailure(_ reader: inout MessagePackReader) throws(WireError) -> UInt64 {
            let count = try reader.arrayHeader()
            guard count > 0 else { throw .missing("e") }
            let code = try reader.number()
            for _ in 1..<count { try reader.skipObject() }
            return code
        }
    }

    private mutating func finish(_ envelope: Envelope) throws(WireError) {
        guard envelope.hasTransaction else { throw .missing("t") }
        let hasBody = envelope.arguments || envelope.reply || envelope.update
        if let code = envelope.failureCode {
            kind = .failure(code: code)
        } else if envelope.reply {
            kind = .reply
        } else if parts != nil {
            kind = .part
            return
        } else if envelope.update {
            kind = .legacyUpdate
        } else {
            guard envelope.isMarkedQuery else { throw .invalid("y") }
            guard let method = envelope.method else { throw .invalid("q") }
            kind = .request(method)
        }
        guard hasBody || envelope.failureCode != nil else { throw .missing("body") }
    }

    private mutating func readBody(_ reader: inout MessagePackReader, limits: WireLimits) throws(WireError) {
        try reader.readEntries { (reader, key) throws(WireError) in
            try self.readField(key, from: &reader, limits: limits)
        }
    }

    private mutating func readField(
        _ key: Range<Int>,
        from reader: inout MessagePackReader,
        limits: WireLimits
    ) throws(WireError) {
        switch Field(reader.bytes, at: key) {
        case .sender: sender = try reader.readInfoHash()
        case .key: self.key = try reader.readInfoHash()
        case .target: target = try reader.readInfoHash()
        case .query: query = try Query(reading: &reader, limits: limits)
        case .want: want = try Self.readWant(&reader)
        case .token: token = try reader.readRange()
        case .socket: socket = try reader.readIdentifier()
        case .valueID: valueID = try reader.number()
        case .values: values = try reader.readContainer(.array)
        case .created: created = try reader.object { (reader) throws(MessagePackError) in try reader.readInt64() }
        case .nodes4: nodes4 = try reader.readRange()
        case .nodes6: nodes6 = try reader.readRange()
        case .address: address = try reader.readRange()
        case .expired: expired = try reader.readNumbers(limit: limits.identifiers)
        case .refreshed: refreshed = try reader.readNumbers(limit: limits.identifiers)
        case .fields: fields = try reader.readContainer(.map)
        case .version: version = try reader.number()
        case nil: try reader.skipObject()
        }
    }

    private static func readWant(_ reader: inout MessagePackReader) throws(WireError) -> Endpoint.Families {
        var want: Endpoint.Families = []
        for _ in 0..<(try reader.arrayHeader()) {
            switch try reader.number() {
            case WireConstants.familyIPv4: want.insert(.ipv4)
            case WireConstants.familyIPv6: want.insert(.ipv6)
            default: break
            }
        }
        return want
    }

    /// The keys of a body.
    private enum Field {
        case sender, key, target, query, want, token, socket, valueID, values, created, nodes4, nodes6, address
        case expired, refreshed, fields, version

        init?(_ bytes: RawSpan, at range: Range<Int>) {
            switch bytes.shortText(at: range) {
            case 0x6964: self = .sender
            case 0x68: self = .key
            case 0x7461_7267_6574: self = .target
            case 0x71: self = .query
            case 0x77: self = .want
            case 0x74_6F6B_656E: self = .token
            case 0x73_6964: self = .socket
            case 0x76_6964: self = .valueID
            case 0x7661_6C75_6573: self = .values
            case 0x63: self = .created
            case 0x6E34: self = .nodes4
            case 0x6E36: self = .nodes6
            case 0x7361: self = .address
            case 0x65_7870: self = .expired
            case 0x7265: self = .refreshed
            case 0x6669_6C65_6473: self = .fields
            case 0x7665: self = .version
            default: return nil
            }
        }
    }
}

extension Method {
    fileprivate init?(_ bytes: RawSpan, at range: Range<Int>) {
        switch bytes.shortText(at: range) {
        case 0x7069_6E67: self = .ping
        case 0x6669_6E64: self = .find
        case 0x67_6574: self = .get
        case 0x70_7574: self = .put
        case 0x6C69_7374_656E: self = .listen
        case 0x72_6566_7265_7368: self = .refresh
        case 0x7570_6461_7465: self = .update
        default: return nil
        }
    }
}

extension MessagePackReader {
    fileprivate mutating func readRange() throws(WireError) -> Range<Int> {
        try object { (reader) throws(MessagePackError) in try reader.readBinaryRange() }
    }

    fileprivate mutating func readContainer(_ wanted: MessagePackKind) throws(WireError) -> Range<Int> {
        let kind = try object { (reader) throws(MessagePackError) in try reader.peek() }
        guard kind == wanted else { throw .malformed(.unexpected(kind)) }
        return try object { (reader) throws(MessagePackError) in try reader.skip() }
    }

    fileprivate mutating func readNumbers(limit: Int) throws(WireError) -> [UInt64] {
        let count = try arrayHeader()
        guard count <= limit else { throw .tooLarge("list of \(count) ids") }
        var result: [UInt64] = []
        result.reserveCapacity(count)
        for _ in 0..<count { result.append(try number()) }
        return result
    }
}
