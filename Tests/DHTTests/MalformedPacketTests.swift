import Foundation
import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import DHT

@Suite struct MalformedPacketTests {
    private static let id = MessagePackValue.binary([UInt8](repeating: 7, count: 20))

    private static func packet(_ fields: KeyValuePairs<String, MessagePackValue>) -> [UInt8] {
        MessagePackValue.fields(fields).encoded
    }

    private static let table: [(String, [UInt8])] = [
        ("no bytes", []),
        ("nil", [0xC0]),
        ("an array", [0x90]),
        ("a format that does not exist", [0xC1]),
        ("an empty map", [0x80]),
        ("an announced map of four billion", [0xDF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("no transaction", packet(["a": .fields(["id": id]), "q": .text("ping"), "y": .text("q")])),
        ("a transaction of 64 bits", packet(["a": .fields(["id": id]), "q": .text("ping"), "t": .unsigned(1 << 32)])),
        (
            "a transaction of five bytes",
            packet(["a": .fields(["id": id]), "q": .text("ping"), "t": .binary([1, 2, 3, 4, 5])])
        ),
        ("a negative transaction", packet(["a": .fields(["id": id]), "q": .text("ping"), "t": .negative(-1)])),
        (
            "an id of 19 bytes",
            packet([
                "a": .fields(["id": .binary([UInt8](repeating: 1, count: 19))]), "q": .text("ping"), "t": .unsigned(1),
            ])
        ),
        (
            "an id that is a number",
            packet(["a": .fields(["id": .unsigned(1)]), "q": .text("ping"), "t": .unsigned(1)])
        ),
        (
            "an unknown request",
            packet(["a": .fields(["id": id]), "q": .text("pong"), "t": .unsigned(1), "y": .text("q")])
        ),
        ("no request name", packet(["a": .fields(["id": id]), "t": .unsigned(1), "y": .text("q")])),
        (
            "an unknown kind",
            packet(["a": .fields(["id": id]), "q": .text("ping"), "t": .unsigned(1), "y": .text("x")])
        ),
        ("no body", packet(["q": .text("ping"), "t": .unsigned(1), "y": .text("q")])),
        ("a body that is no map", packet(["a": .array([]), "q": .text("ping"), "t": .unsigned(1)])),
        ("an empty error", packet(["e": .array([]), "r": .fields(["id": id]), "t": .unsigned(1)])),
        ("an error that is a text", packet(["e": .text("no"), "r": .fields(["id": id]), "t": .unsigned(1)])),
        (
            "values that are a map",
            packet(["a": .fields(["id": id, "values": .map([])]), "q": .text("put"), "t": .unsigned(1)])
        ),
        ("nodes that are an array", packet(["r": .fields(["id": id, "n4": .array([])]), "t": .unsigned(1)])),
        (
            "a want that is a number",
            packet(["a": .fields(["id": id, "w": .unsigned(2)]), "q": .text("find"), "t": .unsigned(1)])
        ),
        (
            "a query without where",
            packet(["a": .fields(["id": id, "q": .fields(["s": .array([])])]), "q": .text("get"), "t": .unsigned(1)])
        ),
        (
            "a network of 64 bits",
            packet(["a": .fields(["id": id]), "q": .text("ping"), "t": .unsigned(1), "n": .unsigned(1 << 40)])
        ),
        (
            "a client flag that is a number",
            packet(["a": .fields(["id": id]), "q": .text("ping"), "t": .unsigned(1), "s": .unsigned(1)])
        ),
        ("nesting without end", [0x81, 0xA1, 0x61] + [UInt8](repeating: 0x91, count: 64)),
    ]

    @Test(arguments: table) func `malformed packets are refused`(why: String, bytes: [UInt8]) {
        #expect(throws: WireError.self, "\(why)") { try Packet(bytes) }
    }

    @Test func `transactions may be four bytes`() throws {
        let bytes = Self.packet([
            "a": .fields(["id": Self.id, "sid": .binary([0, 0, 1, 0])]), "q": .text("ping"),
            "t": .binary([1, 2, 3, 4]),
        ])
        let packet = try Packet(bytes)
        #expect(packet.transaction == 16_909_060)
        #expect(packet.socket == 256)
    }

    @Test func `unknown keys and keys that are no text are skipped`() throws {
        let bytes = MessagePackValue.map([
            .init(.unsigned(3), .map([])), .init(.text("zz"), .array([.null])), .init(.text("t"), .unsigned(9)),
            .init(.text("q"), .text("ping")), .init(.text("a"), .fields(["id": Self.id, "what": .boolean(true)])),
        ]).encoded
        let packet = try Packet(bytes)
        #expect(packet.kind == .request(.ping) && packet.transaction == 9)
    }

    @Test func `a list of nodes of an odd length is no list`() {
        let bytes = [UInt8](repeating: 1, count: 27)
        #expect(!CompactNodes.visit(bytes.span.bytes, 0..<27, family: .ipv4) { _ in })
    }

    @Test func `values that cannot be read are left out, and sizes too`() throws {
        let array = MessagePackValue.array([
            .fields(["id": .unsigned(1)]), .unsigned(65_569), .unsigned(65_568), .unsigned(0), .text("x"),
            .fields([
                "id": .unsigned(1), "dat": .fields(["body": .fields(["type": .unsigned(0), "data": .binary([])])]),
            ]),
        ]).encoded
        let values = try ValueArray(decoding: array.span.bytes)
        #expect(values.values.map(\.id) == [1])
        #expect(values.announced.map(\.size) == [65_568])
        #expect(values.announced.map(\.index) == [2])
    }

    @Test func `too many values are refused`() {
        let count = WireLimits.standard.values
        let within = MessagePackValue.array(Array(repeating: .unsigned(1), count: count)).encoded
        let beyond = MessagePackValue.array(Array(repeating: .unsigned(1), count: count + 1)).encoded
        #expect(throws: Never.self) { try ValueArray(decoding: within.span.bytes) }
        #expect(throws: WireError.self) { try ValueArray(decoding: beyond.span.bytes) }
        let large = MessagePackValue.array(Array(repeating: .unsigned(65_000), count: 200)).encoded
        #expect(throws: WireError.self) { try ValueArray(decoding: large.span.bytes) }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `every decoder is total`(seed: UInt64) throws {
        let originals = try Vectors.packets().map { $0["hex"].hex }
        let values = try Vectors.load("opendht-values")["values"].elements.map { $0["packed"].hex }
        var mutations = ByteMutations(seed: seed)
        var randomness = Randomness.seeded(seed)
        let core = NodeCore(configuration: .init(id: .random(using: &randomness)), randomness: .seeded(seed))
        core.start(now: Instant(), wallTime: WallTime(seconds: 1_800_000_000))
        var now = Instant()
        for round in 0..<2000 {
            let bytes = mutations.next(of: originals[round % originals.count])
            now = now + .milliseconds(3)
            core.receive(bytes.span.bytes, from: Endpoint(ipv4: 0x7F00_0001, port: UInt16(1 + round % 50)), now: now)
            core.timer(now: now)
            core.outbox.removeAll()
            _ = core.takeEvents()
            _ = try? Value(decoding: mutations.next(of: values[round % values.count]))
        }
        #expect(core.counters.received == 2000)
        #expect(core.counters.malformed > 100)
    }
}
