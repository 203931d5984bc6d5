import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import DHT

@Suite struct ValueTypeTests {
    let key = InfoHash(hashing: "key")
    let sender = Endpoint(ipv4: 0x0A00_0001, port: 4222)
    /// Accepts data that begins with 1, and lets longer data take the place of shorter.
    static let own = ValueType(
        number: 77,
        name: "Own",
        lifetime: .seconds(20),
        accepts: { $0.data.first == 1 },
        mayReplace: { $0.data.count < $1.data.count }
    )
    let types = ValueTypes(adding: [own])

    private func decide(_ value: Value, over stored: Value? = nil) -> StorePolicy.Decision {
        StorePolicy.decide(value, at: key, over: stored, from: sender, maximumSize: 65_536, types: types)
    }

    private func signed(_ value: Value) -> Value {
        var value = value
        value.owner = [5]
        value.signature = [6]
        return value
    }

    private func isChecked(_ decision: StorePolicy.Decision) -> Bool {
        if case .check(let check) = decision { check.test == .signature } else { false }
    }

    @Test(
        arguments: [(0, 600), (1, 300), (2, 900), (3, 300), (4, 604_800), (5, 60), (8, 604_800), (9, 600), (77, 20)]
            as [(UInt16, Int)]
    )
    func `values live as long as their type says`(number: UInt16, seconds: Int) {
        #expect(types[number].lifetime == .seconds(seconds))
        #expect(types[number].number == number)
    }

    @Test(arguments: [0, 1, 3, 4, 5, 77] as [UInt16]) func `signatures of secure types are checked, even of odd values`(
        number: UInt16
    ) {
        #expect(isChecked(decide(signed(Value(id: 1, type: number, data: [9])))))
        // Nobody but its signer may edit it, and only to a higher edition.
        let stored = signed(Value(id: 1, type: number, data: [1], sequence: 3))
        #expect(isChecked(decide(signed(Value(id: 1, type: number, data: [2], sequence: 4)), over: stored)))
        #expect(decide(signed(Value(id: 1, type: number, data: [2], sequence: 3)), over: stored) == .refuse)
        #expect(decide(signed(Value(id: 1, type: number, data: [2], sequence: 2)), over: stored) == .refuse)
        var foreign = signed(Value(id: 1, type: number, data: [2], sequence: 4))
        foreign.owner = [7]
        #expect(decide(foreign, over: stored) == .refuse)
        #expect(decide(Value(id: 1, type: number, data: [1, 2]), over: stored) == .refuse)
        #expect(decide(Value(id: 1, cypher: [1]), over: stored) == .refuse)
        #expect(decide(stored, over: stored) == .refresh)
    }

    @Test(arguments: [2, 9] as [UInt16]) func `other types are stored without a look at signatures, and never edited`(
        number: UInt16
    ) {
        let address = [0xC4, 16] + SocketAddressBytes(sender).bytes
        let value = signed(Value(id: 1, type: number, data: number == 2 ? address : [1]))
        guard case .store(let stored) = decide(value) else {
            Issue.record("It is stored")
            return
        }
        // An announcement is made anew.
        #expect(stored.owner == (number == 2 ? nil : [5]))
        var edition = value
        edition.sequence = 9
        edition.data = number == 2 ? [0xC4, 16] + SocketAddressBytes(Endpoint(ipv4: 1, port: 9)).bytes : [2]
        #expect(decide(edition, over: stored) == .refuse)
    }

    @Test func `a message without a service is refused unless it is signed or sealed`() {
        let whole = MessagePackValue.array([.text("im"), .binary([1])]).encoded
        let nameless = MessagePackValue.array([.text(""), .binary([1])]).encoded
        for data in [nameless, [], [0xC0], [0x90], [0x91]] {
            #expect(decide(Value(id: 1, type: 1, data: data)) == .refuse)
        }
        #expect(decide(Value(id: 1, type: 1, data: whole)) == .store(Value(id: 1, type: 1, data: whole)))
        #expect(decide(Value(id: 1, type: 1, cypher: [1])) == .store(Value(id: 1, type: 1, cypher: [1])))
        #expect(isChecked(decide(signed(Value(id: 1, type: 1, data: nameless)))))
    }

    @Test func `a type of one's own decides what is stored and what may be replaced`() {
        let short = Value(id: 1, type: 77, data: [1])
        let long = Value(id: 1, type: 77, data: [1, 2])
        #expect(decide(short) == .store(short))
        #expect(decide(Value(id: 1, type: 77, data: [2])) == .refuse)
        #expect(decide(long, over: short) == .store(long))
        #expect(decide(short, over: long) == .refuse)
        #expect(decide(Value(id: 1, type: 77, data: [2, 2]), over: short) == .refuse)
        #expect(decide(Value(id: 1, type: 0, data: [1, 2]), over: short) == .refuse)
        #expect(decide(signed(long), over: short) == .refuse)
        #expect(decide(long, over: Value(id: 1, data: [1])) == .refuse)
    }

    @Test func `lifetimes are brought into their range, and standard types can be replaced`() {
        let long = ValueType(number: 5, name: "Long", lifetime: .seconds(1 << 40))
        let short = ValueType(number: 6, name: "Short", lifetime: .zero)
        let types = ValueTypes(adding: [long, short])
        #expect(types[5].lifetime == .seconds(30 * 86_400))
        #expect(types[6].lifetime == .seconds(1))
        #expect(types[4].lifetime == ValueType.trustRequest.lifetime)
    }

    @Test func `a node keeps values of its own type as long as the type says, and renews permanent ones`() {
        let core = NodeCore(
            configuration: .init(id: InfoHash(hashing: "core"), types: types),
            randomness: .seeded(1)
        )
        let now = Instant(nanoseconds: 1)
        for id in 1...2 as ClosedRange<UInt64> {
            let value = Value(id: id, type: 77, data: [1])
            _ = core.put(value, at: key, permanent: id == 2, isIDDrawn: true, now: now)
        }
        core.timer(now: now + .seconds(19))
        #expect(core.storage.values(at: key).map(\.value.id) == [1, 2])
        core.timer(now: now + .seconds(20))
        #expect(core.storage.values(at: key).map(\.value.id) == [2])
    }

    @Test func `announcements are those of the real library`() throws {
        let vectors = try Vectors.load("opendht-values")["typed_values"].elements.filter { $0["type"].integer == 2 }
        var endpoints: [String] = []
        for vector in vectors {
            let value = try Value(decoding: vector["packed_value"].hex)
            let announcement = try #require(ServiceAnnouncement(value))
            endpoints.append(announcement.endpoint.description)
            #expect(announcement.value(id: value.id) == value)
        }
        #expect(endpoints == ["192.0.2.7:5060", "[2001:db8::1]:5060"])
        #expect(
            ServiceAnnouncement(port: 80).value().data == [0xC4, 16, 2, 0, 0, 80] + [UInt8](repeating: 0, count: 12)
        )
        #expect(ServiceAnnouncement(port: 80, family: .ipv6).endpoint.port == 80)
    }

    @Test(
        arguments: [
            [], [0xC0], [0xC4, 0], [0xC4, 16] + [UInt8](repeating: 0, count: 16), [0xC4, 4, 2, 0, 0, 80],
            [0xC4, 16, 2, 0, 0, 0] + [UInt8](repeating: 1, count: 12),
            [0xC4, 16, 3, 0, 0, 80] + [UInt8](repeating: 1, count: 12),
            [0xC4, 28, 2, 0, 0, 80] + [UInt8](repeating: 1, count: 24),
            [0xC4, 17, 2, 0, 0, 80] + [UInt8](repeating: 1, count: 13),
        ] as [[UInt8]]
    ) func `what is no announcement is refused`(data: [UInt8]) {
        #expect(ServiceAnnouncement(Value(id: 1, type: 2, data: data)) == nil)
        #expect(decide(Value(id: 1, type: 2, data: data)) == .refuse)
        #expect(ServiceAnnouncement(Value(id: 1, type: 3, data: data)) == nil)
    }
}
