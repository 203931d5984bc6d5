import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import DHT

@Suite struct DiscoveryTests {
    private static let own = InfoHash(hashing: "own")
    private static let other = InfoHash(hashing: "other")
    private static let neighbour = Endpoint(ipv4: 0xC0A8_0107, port: 50_000)

    private func core(isAnnounced: Bool = true) -> DiscoveryCore {
        DiscoveryCore(id: Self.own, network: 9, ports: [.ipv4: 4000], isAnnounced: isAnnounced)
    }

    private func at(_ seconds: Int) -> Instant {
        Instant() + .seconds(seconds)
    }

    private func announcement(_ id: InfoHash, port: UInt16 = 4001, network: UInt32 = 9) -> [UInt8] {
        DiscoveryMessage.announcement(.init(id: id, port: port, network: network)).encoded
    }

    // MARK: Messages

    @Test func `captured messages decode and are encoded byte for byte`() throws {
        let vectors = try Vectors.load("opendht-packets")["packets"].elements.filter {
            $0["name"].text.hasPrefix("discovery")
        }
        #expect(vectors.count == 3)
        for vector in vectors {
            let bytes = vector["hex"].hex
            let message = try DiscoveryMessage(decoding: bytes.span.bytes)
            #expect(message.encoded == bytes)
            guard case .announcement(let announcement) = message else { continue }
            let fields = vector["decoded"]["dht"].elements
            #expect(announcement.id.bytes == fields[0]["$bin"].hex)
            #expect(UInt64(announcement.port) == fields[1].unsigned)
            #expect(UInt64(announcement.network) == fields[2].unsigned)
        }
    }

    private static func service(_ fields: [MessagePackValue]) -> [UInt8] {
        MessagePackValue.fields(["dht": .array(fields)]).encoded
    }

    private static let id = MessagePackValue.binary(other.bytes)

    @Test(arguments: [
        ("no bytes", []),
        ("nil", [0xC0]),
        ("another question", [0xA1, 0x72]),
        ("a question with more behind it", [0xA1, 0x71, 0xC0]),
        ("an empty map", [0x80]),
        ("an array", [0x90]),
        ("a map of four billion", [0xDF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("another service alone", MessagePackValue.fields(["jami": .array([])]).encoded),
        ("a service that is a text", MessagePackValue.fields(["dht": .text("x")]).encoded),
        ("two fields", service([id, .unsigned(1)])),
        ("a short id", service([.binary([1, 2]), .unsigned(1), .unsigned(0)])),
        ("an id of zeros", service([.binary([UInt8](repeating: 0, count: 20)), .unsigned(1), .unsigned(0)])),
        ("an id that is a text", service([.text("id"), .unsigned(1), .unsigned(0)])),
        ("port 0", service([id, .unsigned(0), .unsigned(0)])),
        ("a port of 17 bits", service([id, .unsigned(65_536), .unsigned(0)])),
        ("a negative port", service([id, .negative(-1), .unsigned(0)])),
        ("a network of 33 bits", service([id, .unsigned(1), .unsigned(1 << 32)])),
        (
            "a message that is too long",
            service([id, .unsigned(1), .unsigned(0), .binary([UInt8](repeating: 0, count: 8192))])
        ),
    ])
    func `malformed messages are refused`(why: String, bytes: [UInt8]) {
        #expect(throws: WireError.self, "\(why)") { try DiscoveryMessage(decoding: bytes.span.bytes) }
    }

    @Test func `other services and further fields are skipped`() throws {
        let bytes = MessagePackValue.map([
            .init(.text("jami"), .array([.null, .map([])])), .init(.unsigned(1), .null),
            .init(.text("dht"), .array([Self.id, .unsigned(4001), .unsigned(9), .text("later")])),
        ]).encoded
        let message = try DiscoveryMessage(decoding: bytes.span.bytes)
        #expect(message == .announcement(.init(id: Self.other, port: 4001, network: 9)))
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading is total`(seed: UInt64) {
        let originals = [announcement(Self.other), DiscoveryMessage.query.encoded]
        var mutations = ByteMutations(seed: seed)
        var core = core()
        for round in 0..<2000 {
            let bytes = mutations.next(of: originals[round % 2])
            let effects = core.receive(bytes.span.bytes, from: Self.neighbour, now: at(round))
            #expect(effects.count <= 1)
        }
    }

    // MARK: Rounds

    @Test func `it asks and announces four times, then waits for the next cause`() {
        var core = core()
        var times: [Int] = []
        var effects = core.begin(now: at(0))
        for second in 0...200 {
            if second > 0 { effects = core.timer(now: at(second)) }
            guard !effects.isEmpty else { continue }
            times.append(second)
            #expect(
                effects == [
                    .multicast(DiscoveryMessage.query.encoded, .ipv4),
                    .multicast(announcement(Self.own, port: 4000), .ipv4),
                ]
            )
        }
        #expect(times == [0, 10, 30, 70])
        #expect(core.nextDeadline == nil)
        let again = core.begin(now: at(300))
        #expect(again.count == 2)
    }

    @Test func `a cause during the rounds does not begin them anew, another network does`() {
        var core = core()
        _ = core.begin(now: at(0))
        let second = core.begin(now: at(3))
        #expect(second.isEmpty)
        #expect(core.nextDeadline == at(10))
        let elsewhere = core.restart(now: at(4))
        #expect(elsewhere.count == 2)
        #expect(core.nextDeadline == at(14))
    }

    @Test func `a connected node does not ask, and still answers`() {
        var core = core()
        _ = core.begin(now: at(0))
        core.rest()
        #expect(core.nextDeadline == nil)
        let late = core.timer(now: at(100))
        #expect(late.isEmpty)
        let answer = core.receive(DiscoveryMessage.query.encoded.span.bytes, from: Self.neighbour, now: at(101))
        #expect(answer == [.send(announcement(Self.own, port: 4000), to: Self.neighbour)])
    }

    @Test func `a client asks without being announced`() {
        var core = core(isAnnounced: false)
        let effects = core.begin(now: at(0))
        #expect(effects == [.multicast(DiscoveryMessage.query.encoded, .ipv4)])
        let answer = core.receive(DiscoveryMessage.query.encoded.span.bytes, from: Self.neighbour, now: at(1))
        #expect(answer.isEmpty)
    }

    // MARK: Finding

    @Test func `a node is found at the address of its message, once in a while`() {
        var core = core()
        let expected = Endpoint(ipv4: 0xC0A8_0107, port: 4001)
        let first = core.receive(announcement(Self.other).span.bytes, from: Self.neighbour, now: at(0))
        #expect(first == [.found(Self.other, expected)])
        let second = core.receive(announcement(Self.other).span.bytes, from: Self.neighbour, now: at(59))
        #expect(second.isEmpty)
        let later = core.receive(announcement(Self.other).span.bytes, from: Self.neighbour, now: at(60))
        #expect(later == [.found(Self.other, expected)])
    }

    @Test func `itself, other networks and impossible senders are not found`() {
        var core = core()
        for bytes in [announcement(Self.own), announcement(Self.other, network: 8)] {
            let effects = core.receive(bytes.span.bytes, from: Self.neighbour, now: at(0))
            #expect(effects.isEmpty)
        }
        let multicast = Endpoint(ipv4: 0xEFC0_0001, port: 8888)
        let effects = core.receive(announcement(Self.other).span.bytes, from: multicast, now: at(0))
        #expect(effects.isEmpty)
    }

    @Test func `questions and announcements of a flood are limited`() {
        var core = core()
        var answers = 0
        var findings = 0
        for number in 0..<10_000 {
            let time = Instant() + .microseconds(number)
            answers += core.receive(DiscoveryMessage.query.encoded.span.bytes, from: Self.neighbour, now: time).count
            let liar = Endpoint(ipv4: UInt32(0x0A00_0000 + number), port: 1)
            findings += core.receive(announcement(Self.other).span.bytes, from: liar, now: time).count
        }
        #expect(answers == DiscoveryLimits().answers)
        #expect(findings == DiscoveryLimits().findings)
        // Over a minute the memory fills, and is no obstacle after it.
        for number in 0..<10_000 {
            let time = at(1) + .milliseconds(number * 10)
            let liar = Endpoint(ipv4: UInt32(0x0B00_0000 + number), port: 1)
            findings += core.receive(announcement(Self.other).span.bytes, from: liar, now: time).count
        }
        #expect(findings <= DiscoveryLimits().findings + 2 * DiscoveryLimits().remembered)
    }
}
