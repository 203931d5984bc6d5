import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

/// Every kind of packet with every kind of fault, handed to a node that keeps values and listens itself.
@Suite struct HostilePacketTests {
    static let key = InfoHash(hashing: "key")

    /// A packet whose kind the table knows, and the fields that its body may have.
    enum Kind: String, CaseIterable, Sendable {
        case ping, find, get, query, put, announcedPut, refresh, listen, update, expiry
        case reply, values, failure, legacyUpdate, part
    }

    /// What a node keeps, apart from the nodes it heard from.
    struct Books: Equatable {
        var values: Int
        var bytes: Int
        var listeners: Int
        var requests: Int
        var searches: Int
        var sockets: Int
        var sessions: Int
        var checks: Int
        var blacklisted: Int
        var operations: Int

        init(_ core: NodeCore) {
            values = core.storage.valueCount
            bytes = core.storage.bytes
            listeners = core.storage.places.values.reduce(0) { $0 + $1.listeners.count }
            // A node that is not known well is asked whether it is there.
            requests = core.requests.values.count { if case .ping = $0.purpose { false } else { true } }
            searches = core.searches.count
            sockets = core.sockets.count
            sessions = core.reassembly.count
            checks = core.checks.count
            blacklisted = core.blacklist.count
            operations = core.operations.count
        }
    }

    /// A node under attack, and what the attacker knows of it.
    struct Target {
        let harness = CoreHarness()
        let friend = CoreHarness.Peer(1)
        let attacker = CoreHarness.Peer(2)
        let token: [UInt8]
        /// A request of the core that waits for the attacker's answer, and a socket that is open to it.
        let transaction: UInt32
        let socket: UInt32

        init() throws {
            harness.befriend(friend)
            harness.befriend(attacker)
            harness.put([Value(id: 1, data: [1])], at: key, by: friend)
            token = harness.token(for: attacker)
            _ = harness.core.listen(at: key, now: harness.now)
            var socket: UInt32?
            var queue = harness.sent()
            while !queue.isEmpty {
                let request = queue.removeFirst()
                let isAttacker = request.receiver == attacker.endpoint
                if isAttacker, request.packet.kind == .request(.listen) { socket = request.packet.socket }
                queue += harness.receive(from: isAttacker ? attacker : friend) {
                    $0.answer(request.packet.transaction, .init(token: [1]), to: CoreHarness.own, to: &$1)
                }
            }
            self.socket = try #require(socket)
            _ = harness.core.get(InfoHash(hashing: "elsewhere"), now: harness.now)
            let receiver = attacker.endpoint
            let asked = harness.sent().first { $0.receiver == receiver }
            transaction = try #require(asked).packet.transaction
            _ = harness.core.takeEvents()
        }

        func isAnswering() -> Bool {
            let key = HostilePacketTests.key
            let answers = harness.receive(from: friend) { $0.get(99, key: key, query: Query(), to: &$1) }
            return answers.first?.packet.kind == .reply && answers.first?.packet.transaction == 99
        }

        /// A right packet of a kind.
        func packet(_ kind: Kind) -> MessagePackValue {
            var output = MessagePackWriter()
            let writer = attacker.writer
            let key = HostilePacketTests.key
            let values = OutgoingValues([Value(id: 9, data: [1, 2, 3]).encoded])
            var answer = PacketWriter.Answer(token: [1])
            switch kind {
            case .ping: writer.ping(5, to: &output)
            case .find: writer.find(5, target: key, want: .ipv4, to: &output)
            case .get: writer.get(5, key: key, query: Query(), want: .ipv4, to: &output)
            case .query:
                writer.get(5, key: key, query: Query(fields: [.id], filters: [.type(7), .id(3)]), to: &output)
            case .put: writer.put(5, key: key, values: values, created: 1_800_000_000, token: token, to: &output)
            case .announcedPut:
                let large = OutgoingValues([Value(id: 9, data: [UInt8](repeating: 1, count: 3000)).encoded])
                writer.put(5, key: key, values: large, created: nil, token: token, to: &output)
            case .refresh: writer.refresh(5, key: key, valueID: 1, token: token, to: &output)
            case .listen: writer.listen(5, key: key, socket: 77, query: Query(), token: token, to: &output)
            case .update: writer.update(5, key: key, socket: socket, values: values, token: token, to: &output)
            case .expiry:
                writer.update(5, socket: socket, change: .expired, ids: [1, 2], token: token, to: &output)
            case .reply, .values:
                answer.nodes4 = [Contact(id: friend.id, endpoint: friend.endpoint)]
                if kind == .values { answer.values = values }
                writer.answer(transaction, answer, to: CoreHarness.own, to: &output)
            case .failure: writer.failure(transaction, .wrongToken(.put), to: &output)
            case .legacyUpdate:
                return .fields([
                    "u": .fields([
                        "id": .binary(attacker.id.bytes), "token": .binary(token), "exp": .array([.unsigned(1)]),
                    ]), "y": .text("r"), "v": .text("x"), "t": .unsigned(UInt64(socket)),
                ])
            case .part: writer.part(5, index: 0, offset: 0, bytes: [1, 2, 3], to: &output)
            }
            return (try? MessagePackValue.decode(output.bytes)) ?? .null
        }

        /// Whether a packet of the attacker is dropped without a trace, and the node goes on.
        func drops(_ bytes: [UInt8]) -> Bool {
            let before = Books(harness.core)
            let malformed = harness.core.counters.malformed
            let sent = harness.receive(bytes, from: attacker.endpoint)
            return sent.isEmpty && harness.core.counters.malformed == malformed + 1 && Books(harness.core) == before
                && harness.core.takeEvents().allSatisfy(isNoResult)
        }

        private func isNoResult(_ event: NodeEvent) -> Bool {
            switch event {
            case .statusChanged, .publicAddressChanged, .bootstrapDue: true
            default: false
            }
        }
    }

    // MARK: Faults

    /// The path of every field of a packet, those of its body too.
    private static func paths(in packet: MessagePackValue) -> [[Int]] {
        guard case .map(let pairs) = packet else { return [] }
        return pairs.indices.flatMap { index in
            [[index]] + paths(in: pairs[index].value).map { [index] + $0 }
        }
    }

    private static func name(of path: [Int], in packet: MessagePackValue) -> String {
        guard let first = path.first, case .map(let pairs) = packet else { return "" }
        let rest = name(of: Array(path.dropFirst()), in: pairs[first].value)
        return (pairs[first].key.text ?? "") + (rest.isEmpty ? "" : "." + rest)
    }

    private static func replacing(
        _ path: [Int],
        in packet: MessagePackValue,
        with value: MessagePackValue
    ) -> MessagePackValue {
        guard let first = path.first, case .map(var pairs) = packet else { return value }
        pairs[first].value = replacing(Array(path.dropFirst()), in: pairs[first].value, with: value)
        return .map(pairs)
    }

    /// The bytes of a packet up to a field, whose encoding is cut out.
    private static func bytes(of packet: MessagePackValue, before path: [Int]) -> [UInt8] {
        let marker = MessagePackValue.extended(type: 99, data: [1, 2, 3, 4, 5, 6, 7, 8])
        let bytes = replacing(path, in: packet, with: marker).encoded
        let encoded = marker.encoded
        let start = bytes.indices.first { bytes[$0...].starts(with: encoded) } ?? bytes.endIndex
        return Array(bytes[..<start])
    }

    /// Fields that nobody reads, and those inside of values, which are left out on their own.
    private static func isRead(_ name: String) -> Bool {
        !["v", "r.v", "a.ve"].contains(name) && !name.contains("values.") && !name.hasPrefix("p.")
    }

    @Test(arguments: Kind.allCases) func `a packet that ends early is dropped, wherever it ends`(kind: Kind) throws {
        let target = try Target()
        let bytes = target.packet(kind).encoded
        for count in 0..<bytes.count {
            #expect(target.drops(Array(bytes[..<count])), "\(kind) of \(count) bytes")
        }
        #expect(target.isAnswering())
    }

    @Test(arguments: Kind.allCases) func `a field of the wrong type makes a packet be dropped`(kind: Kind) throws {
        let target = try Target()
        let packet = target.packet(kind)
        for path in Self.paths(in: packet) {
            let name = Self.name(of: path, in: packet)
            guard Self.isRead(name) else { continue }
            for wrong in [.null, .float(1), .extended(type: 5, data: [1])] as [MessagePackValue] {
                let bytes = Self.replacing(path, in: packet, with: wrong).encoded
                #expect(target.drops(bytes), "\(kind): \(name) as \(wrong)")
            }
        }
        #expect(target.isAnswering())
    }

    @Test(arguments: Kind.allCases) func `lengths of four billion and towers of containers are dropped`(kind: Kind)
        throws
    {
        let target = try Target()
        let packet = target.packet(kind)
        let huge: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
        let endings: [(String, [UInt8])] =
            [0xC6, 0xDB, 0xDD, 0xDF, 0xC9].map { ("\($0) of four billion", [$0] + huge) } + [
                ("arrays in arrays", [UInt8](repeating: 0x91, count: 60_000)),
                ("maps in maps", [[UInt8]](repeating: [0x81, 0x01], count: 30_000).flatMap { $0 }),
            ]
        for path in Self.paths(in: packet) {
            for (what, ending) in endings {
                let bytes = Self.bytes(of: packet, before: path) + ending
                #expect(target.drops(bytes), "\(kind): \(Self.name(of: path, in: packet)) with \(what)")
            }
        }
        #expect(target.isAnswering())
    }

    @Test(arguments: Kind.allCases) func `ids of a wrong length are dropped, ids of nobody are not answered`(
        kind: Kind
    ) throws {
        let target = try Target()
        let packet = target.packet(kind)
        for path in Self.paths(in: packet) {
            let name = Self.name(of: path, in: packet)
            guard ["id", "h", "target"].contains(name.split(separator: ".").last), !name.contains("values.") else {
                continue
            }
            for count in [0, 19, 21, 32] {
                let wrong = MessagePackValue.binary([UInt8](repeating: 1, count: count))
                #expect(target.drops(Self.replacing(path, in: packet, with: wrong).encoded), "\(kind): \(name)")
            }
            guard name.hasSuffix(".id") else { continue }
            for id in [InfoHash.zero, target.harness.core.id] {
                let before = Books(target.harness.core)
                let bytes = Self.replacing(path, in: packet, with: .binary(id.bytes)).encoded
                #expect(target.harness.receive(bytes, from: target.attacker.endpoint).isEmpty, "\(kind) of \(id)")
                #expect(Books(target.harness.core) == before)
            }
        }
        #expect(target.isAnswering())
    }

    @Test func `a key, an id or a socket of zero changes nothing`() throws {
        let target = try Target()
        let before = Books(target.harness.core)
        let (harness, attacker, token) = (target.harness, target.attacker, target.token)
        let zero = OutgoingValues([Value(id: 0, data: [1]).encoded])
        let one = OutgoingValues([Value(id: 5, data: [1]).encoded])
        let answers =
            harness.receive(from: attacker) { $0.get(1, key: .zero, query: Query(), to: &$1) }
            + harness.receive(from: attacker) {
                $0.put(2, key: .zero, values: one, created: nil, token: token, to: &$1)
            }
            + harness.receive(from: attacker) {
                $0.put(3, key: Self.key, values: zero, created: nil, token: token, to: &$1)
            }
            + harness.receive(from: attacker) {
                $0.listen(4, key: .zero, socket: 1, query: Query(), token: token, to: &$1)
            }
            + harness.receive(from: attacker) { $0.refresh(5, key: Self.key, valueID: 0, token: token, to: &$1) }
            + harness.receive(from: attacker) { $0.refresh(6, key: .zero, valueID: 1, token: token, to: &$1) }
        #expect(answers.map(\.packet.kind) == [203, 203, 203, 203, 404, 404].map { .failure(code: $0) })
        #expect(answers.map(\.packet.transaction) == [1, 2, 3, 4, 5, 6])
        #expect(Books(harness.core) == before)
        #expect(target.isAnswering())
    }

    // MARK: Sizes

    @Test(arguments: [0, 1]) func `the largest value that can be announced is kept, one more byte is not waited for`(
        more: Int
    ) throws {
        let target = try Target()
        let limit = WireLimits.standard.value
        let overhead = Value(id: 8, data: [UInt8](repeating: 7, count: 65_536)).encoded.count - 65_536
        let value = Value(id: 8, data: [UInt8](repeating: 7, count: limit - overhead + more))
        let outgoing = OutgoingValues([value.encoded])
        #expect(outgoing.encoded[0].count == limit + more)
        var answers = target.harness.receive(from: target.attacker) {
            $0.put(8, key: Self.key, values: outgoing, created: nil, token: target.token, to: &$1)
        }
        for offset in stride(from: 0, to: limit + more, by: 1280) {
            let piece = outgoing.encoded[0][offset..<min(offset + 1280, limit + more)]
            answers += target.harness.receive(from: target.attacker) {
                $0.part(8, index: 0, offset: offset, bytes: piece, to: &$1)
            }
        }
        #expect(answers.map(\.packet.valueID) == (more == 0 ? [8] : []))
        #expect(target.harness.core.storage.valueCount == (more == 0 ? 2 : 1))
        #expect(target.isAnswering())
    }

    @Test(
        arguments: [
            [65_569], [4_294_967_295], [4_294_967_296], [.max], [0], [65_568, 4_294_967_295],
        ] as [[UInt64]]
    ) func `announced sizes that are out of range are not waited for`(sizes: [UInt64]) throws {
        let target = try Target()
        let announced = MessagePackValue.array(sizes.map { .unsigned($0) })
        let packet = target.packet(.announcedPut)
        let path = try #require(Self.paths(in: packet).first { Self.name(of: $0, in: packet) == "a.values" })
        let bytes = Self.replacing(path, in: packet, with: announced).encoded
        #expect(target.harness.receive(bytes, from: target.attacker.endpoint).isEmpty)
        #expect(target.harness.core.reassembly.count == (sizes.contains(65_568) ? 1 : 0))
        #expect(target.harness.core.storage.valueCount == 1)
        #expect(target.isAnswering())
    }

    @Test func `parts of messages that nobody announced are kept for seconds only, and never many`() throws {
        var target = try Target().harness
        let attacker = CoreHarness.Peer(2)
        let part = [UInt8](repeating: 1, count: 1280)
        for transaction in 1...5000 as ClosedRange<UInt32> {
            #expect(
                target.receive(from: attacker) { $0.part(transaction, index: 0, offset: 0, bytes: part[...], to: &$1) }
                    .isEmpty
            )
        }
        #expect(target.core.reassembly.count <= 512)
        _ = target.wait(.seconds(4))
        _ = target.receive(from: attacker) { $0.part(1, index: 0, offset: 0, bytes: part[...], to: &$1) }
        #expect(target.core.reassembly.count == 1)
    }

    // MARK: Replays

    @Test func `an answer counts once, from its node, and not after its request is over`() throws {
        let target = try Target()
        let (harness, attacker) = (target.harness, target.attacker)
        var answer = PacketWriter.Answer(token: [1])
        answer.values = OutgoingValues([Value(id: 5, data: [5]).encoded])
        func reply(_ transaction: UInt32, from peer: CoreHarness.Peer) -> [UInt64] {
            _ = harness.receive(from: peer) { $0.answer(transaction, answer, to: CoreHarness.own, to: &$1) }
            return harness.core.takeEvents().flatMap { event in
                if case .values(_, let values) = event { values.map(\.id) } else { [] as [UInt64] }
            }
        }
        _ = harness.core.takeEvents()
        #expect(reply(target.transaction &+ 1, from: attacker) == [])
        #expect(reply(target.transaction, from: target.friend) == [])
        #expect(reply(target.transaction, from: CoreHarness.Peer(50)) == [])
        #expect(reply(target.transaction, from: attacker) == [5])
        #expect(reply(target.transaction, from: attacker) == [])
        #expect(target.isAnswering())
    }

    @Test func `an answer that comes when its request was given up changes nothing but the node`() throws {
        let target = try Target()
        var harness = target.harness
        _ = harness.wait(.seconds(12))
        _ = harness.core.takeEvents()
        let before = Books(harness.core)
        var answer = PacketWriter.Answer(token: [1])
        answer.values = OutgoingValues([Value(id: 5, data: [5]).encoded])
        _ = harness.receive(from: target.attacker) {
            $0.answer(target.transaction, answer, to: CoreHarness.own, to: &$1)
        }
        #expect(Books(harness.core).values == before.values)
        let results = harness.core.takeEvents().filter { if case .values = $0 { true } else { false } }
        #expect(results.isEmpty)
    }

    @Test func `a request that comes again is answered again and has one effect`() throws {
        let target = try Target()
        for kind in [Kind.put, .refresh, .listen, .get, .find, .ping] {
            let bytes = target.packet(kind).encoded
            let first = target.harness.receive(bytes, from: target.attacker.endpoint)
            let books = Books(target.harness.core)
            for _ in 0..<5 {
                let again = target.harness.receive(bytes, from: target.attacker.endpoint)
                #expect(again.contains { $0.packet.transaction == 5 && $0.packet.kind == .reply })
            }
            #expect(first.contains { $0.packet.transaction == 5 && $0.packet.kind == .reply })
            let after = Books(target.harness.core)
            #expect(after.values == books.values && after.bytes == books.bytes && after.listeners == books.listeners)
        }
        #expect(target.isAnswering())
    }

    // MARK: Tokens

    @Test func `a token is worth nothing at another address or port, or with another bit`() throws {
        let target = try Target()
        let before = Books(target.harness.core)
        let elsewhere = [
            Endpoint(ipv4: 0x0A00_0002, port: 4223), Endpoint(ipv4: 0x0A00_0009, port: 4222),
            Endpoint(ipv6: 0x2001_0DB8 << 32, 2, port: 4222),
        ]
        for kind in [Kind.put, .announcedPut, .refresh, .listen] {
            for endpoint in elsewhere {
                let answers = target.harness.receive(target.packet(kind).encoded, from: endpoint)
                #expect(answers.map(\.packet.kind) == [.failure(code: 401)], "\(kind) from \(endpoint)")
            }
            for bit in stride(from: 0, to: 256, by: 17) {
                var token = target.token
                token[bit / 8] ^= 1 << UInt8(bit % 8)
                let packet = target.packet(kind)
                let path = Self.paths(in: packet).first { Self.name(of: $0, in: packet) == "a.token" } ?? []
                let bytes = Self.replacing(path, in: packet, with: .binary(token)).encoded
                let answers = target.harness.receive(bytes, from: target.attacker.endpoint)
                #expect(answers.map(\.packet.kind) == [.failure(code: 401)])
            }
        }
        #expect(Books(target.harness.core) == before)
        #expect(target.isAnswering())
    }

    @Test func `updates for sockets of others, and errors for requests of others, change nothing`() throws {
        let target = try Target()
        let before = Books(target.harness.core)
        let values = OutgoingValues([Value(id: 66, data: [6]).encoded])
        let sockets = [0, 1, target.socket &+ 1, .max] as [UInt32]
        for socket in sockets {
            let answers = target.harness.receive(from: target.attacker) {
                $0.update(5, key: Self.key, socket: socket, values: values, token: [1], to: &$1)
            }
            // It is acknowledged whatever it is for.
            #expect(answers.map(\.packet.kind) == [.reply])
        }
        let answers = target.harness.receive(from: target.friend) {
            $0.update(5, key: Self.key, socket: target.socket, values: values, token: [1], to: &$1)
        }
        #expect(answers.map(\.packet.kind) == [.reply])
        for failure in [ProtocolFailure.wrongToken(.put), .unknownStorage] {
            _ = target.harness.receive(from: target.friend) { $0.failure(target.transaction, failure, to: &$1) }
        }
        #expect(Books(target.harness.core) == before)
        let heard = target.harness.core.takeEvents().filter { if case .values = $0 { true } else { false } }
        #expect(heard.isEmpty)
        #expect(target.isAnswering())
    }
}
