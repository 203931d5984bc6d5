import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import DHT

@Suite struct StoredValueTests {
    private let key = InfoHash(hashing: "key")
    private let peer = CoreHarness.Peer(1)
    /// When the virtual clock of the harness begins.
    private let start = WallTime(seconds: 1_800_000_000)

    private func state(_ values: [StoredValue]) -> NodeState {
        NodeState(id: InfoHash(hashing: "x"), contacts: [], values: values)
    }

    private func value(_ id: UInt64, type: UInt16 = 0, secondsAgo: Int64, lives: Int64? = nil) -> StoredValue {
        StoredValue(
            key: key,
            value: Value(id: id, type: type),
            created: .wallTime(WallTime(seconds: start.seconds - secondsAgo)),
            expires: lives.map { WallTime(seconds: start.seconds + $0) }
        )
    }

    private func lifetimes(_ harness: CoreHarness) -> [UInt64: Duration] {
        let stored = harness.core.storage.values(at: key)
        return Dictionary(uniqueKeysWithValues: stored.map { ($0.value.id, $0.expires - harness.now) })
    }

    @Test(arguments: ["2.4.12", "4.3.1"]) func `values in states of the real library are read`(version: String) throws {
        let vector = try Vectors.load("opendht-state")["state"][version]
        let state = try NodeState(decoding: vector["state_file"].hex)
        let places = vector["values_decoded"].elements
        #expect(state.values.map(\.key.hex) == places.map { $0["key"].text })
        #expect(state.values.map(\.value.id) == [72, 71])
        #expect(state.values.map(\.value.data) == [Array("pel".utf8), Array("pe".utf8)])
        let first = try #require(state.values.first)
        if version == "2.4.12" {
            #expect(first.created == .steadyTime(Instant(nanoseconds: 2_069_772_775_604)))
            #expect(state.values.allSatisfy { $0.source == nil && $0.expires == nil })
        } else {
            #expect(first.created == .wallTime(WallTime(milliseconds: 1_795_218_106_941)))
            #expect(first.expires == WallTime(milliseconds: 1_795_218_706_941))
            #expect(state.values.map(\.source?.description) == [nil, "127.0.0.1:42502"])
            #expect(try NodeState(decoding: state.encoded) == state)
        }
    }

    @Test func `values are written as the real library writes them`() throws {
        // A whole number of milliseconds, which is what our clock tells.
        let bytes = try #require(
            Hexadecimal.decode(
                "84a17601a26964c4140909090909090909090909090909090909090909a56e6f64657390a676616c7565739192c414"
                    + "2539ac8aad26461d7d0cce674128a637860bc5aec4479194d7ff9e124f006b00dab882a2696447a364617481a4626f647982"
                    + "a47479706500a464617461c4027065c4100200a6067f0000010000000000000000d7ff9e124f006b00dd10"
            )
        )
        let state = try NodeState(decoding: bytes)
        #expect(state.values.map(\.value.data) == [Array("pe".utf8)])
        #expect(state.encoded == bytes)
    }

    @Test func `the old form tells by the monotonic clock when values were created`() throws {
        let written = state([value(1, secondsAgo: 5), value(2, secondsAgo: -5)])
            .encodedInOldForm(now: Instant(nanoseconds: 20_000_000_000), wallTime: start)
        let read = try NodeState(decoding: written)
        #expect(
            read.values.map(\.created) == [
                .steadyTime(Instant(nanoseconds: 15_000_000_000)), .steadyTime(Instant(nanoseconds: 25_000_000_000)),
            ]
        )
        #expect(read.values.allSatisfy { $0.expires == nil && $0.source == nil })
    }

    @Test func `values live on as long as they would have`() {
        let harness = CoreHarness()
        harness.core.restore(
            [
                value(1, secondsAgo: 100, lives: 500),
                value(2, secondsAgo: 100),
                value(3, secondsAgo: 100, lives: 30),
                value(4, type: 5, secondsAgo: 20, lives: 86_400),
                // A clock that was set back.
                value(5, secondsAgo: -9000, lives: 9000),
                value(6, secondsAgo: 601),
                value(7, secondsAgo: 10, lives: 0),
                value(8, secondsAgo: .max / 1001),
                StoredValue(key: key, value: Value(id: 9), created: .steadyTime(harness.now - .milliseconds(400))),
                StoredValue(key: key, value: Value(id: 10), created: .steadyTime(harness.now + .seconds(1))),
                StoredValue(key: key, value: Value(id: 11), created: .steadyTime(harness.now - .seconds(600))),
                StoredValue(key: key, value: Value(id: 0), created: .wallTime(start)),
                StoredValue(key: .zero, value: Value(id: 12), created: .wallTime(start)),
            ],
            now: harness.now
        )
        #expect(
            lifetimes(harness) == [
                1: .seconds(500), 2: .seconds(500), 3: .seconds(30), 4: .seconds(40), 5: .seconds(600),
                9: .milliseconds(599_600),
            ]
        )
    }

    @Test func `what is there already stays, and the quota counts`() {
        var limits = NodeLimits()
        limits.storedBytes = 3000
        let harness = CoreHarness(limits: limits)
        _ = harness.core.put(Value(id: 1, data: [1]), at: key, permanent: true, isIDDrawn: true, now: harness.now)
        let foreign = (1...9 as ClosedRange<UInt64>).map { id in
            StoredValue(
                key: key,
                value: Value(id: id, data: [UInt8](repeating: 7, count: 900)),
                created: .wallTime(start),
                source: peer.endpoint
            )
        }
        harness.core.restore(foreign, now: harness.now)
        #expect(harness.core.storage.value(1, at: key)?.value.data == [1])
        #expect(harness.core.storage.bytes <= 3000)
        #expect((2...4).contains(harness.core.storage.values(at: key).count))
    }

    @Test func `permanent values, values of others and their quotas go into the state`() throws {
        var harness = CoreHarness()
        _ = harness.core.put(Value(id: 1), at: key, permanent: true, isIDDrawn: true, now: harness.now)
        harness.put([Value(id: 2, type: 5)], at: key, by: peer)
        harness.now = harness.now + .seconds(10)
        var state = harness.core.state(now: harness.now)
        state.values = harness.core.storedValues(now: harness.now)
        let read = try NodeState(decoding: state.encoded)
        #expect(read == state)
        #expect(read.values.map(\.value.id) == [1, 2])
        #expect(read.values.map(\.source?.quotaGroup) == [nil, peer.endpoint.quotaGroup])
        #expect(read.values.map(\.expires) == [610, 60].map { WallTime(seconds: start.seconds + $0) })

        let later = CoreHarness()
        later.core.restore(read.values, now: later.now)
        #expect(lifetimes(later) == [1: .seconds(600), 2: .seconds(60)])
        harness.now = harness.now + .seconds(60)
        #expect(harness.core.storedValues(now: harness.now).map(\.value.id) == [1])
    }

    @Test func `endpoints of quotas are of the quota`() {
        for group: UInt64 in [0, 1, 0x7F00_0001, 0xFFFF_FFFF, 0x2001_0DB8_0000_0000, .max] {
            #expect(Endpoint(quotaGroup: group).quotaGroup == group)
        }
    }

    // MARK: Malformed

    private static let timestamp = MessagePackValue.extended(type: -1, data: [0, 0, 0, 0, 0x6B, 0x00, 0xDA, 0xBA])
    private static let wholeValue = MessagePackValue.fields([
        "id": .unsigned(5),
        "dat": .fields(["body": .fields(["type": .unsigned(0), "data": .binary([1])])]),
    ])

    private static func place(_ entries: [MessagePackValue], key: [UInt8] = .init(repeating: 3, count: 20))
        -> MessagePackValue
    {
        .array([.binary(key), .binary(MessagePackValue.array(entries).encoded)])
    }

    private static func state(_ values: MessagePackValue) -> [UInt8] {
        MessagePackValue.fields([
            "v": .unsigned(1), "id": .binary(.init(repeating: 9, count: 20)), "nodes": .array([]), "values": values,
        ])
        .encoded
    }

    private static let good = MessagePackValue.array([timestamp, wholeValue])

    static let malformed: [(String, MessagePackValue)] = [
        ("no pair", .unsigned(1)),
        ("a pair of one", .array([.binary(.init(repeating: 3, count: 20))])),
        ("a pair of three", .array([.binary(.init(repeating: 3, count: 20)), .binary([0x90]), .null])),
        ("a short key", place([good], key: [1, 2, 3])),
        ("the key zero", place([good], key: .init(repeating: 0, count: 20))),
        ("entries that are not packed", .array([.binary(.init(repeating: 3, count: 20)), .array([good])])),
        ("entries that are no array", .array([.binary(.init(repeating: 3, count: 20)), .binary([1])])),
        ("entries that end early", .array([.binary(.init(repeating: 3, count: 20)), .binary([0x91, 0x92])])),
        ("an entry of one", place([.array([timestamp])])),
        ("an entry of five", place([.array([timestamp, wholeValue, .binary([]), timestamp, .null])])),
        ("an entry that is no array", place([.null])),
        ("a time that is text", place([.array([.text("now"), wholeValue])])),
        ("a negative time", place([.array([.negative(-1), wholeValue])])),
        ("a time beyond all", place([.array([.unsigned(.max), wholeValue])])),
        ("a time of another type", place([.array([.extended(type: 1, data: [0, 0, 0, 0]), wholeValue])])),
        ("a time of two bytes", place([.array([.extended(type: -1, data: [0, 0]), wholeValue])])),
        (
            "too many nanoseconds",
            place([.array([.extended(type: -1, data: [0xEE, 0x6B, 0x28, 0, 0, 0, 0, 0]), wholeValue])])
        ),
        (
            "a time in a far age",
            place([.array([.extended(type: -1, data: [0, 0, 0, 0] + .init(repeating: 0x7F, count: 8)), wholeValue])])
        ),
        ("no value", place([.array([timestamp, .null])])),
        ("a value without an id", place([.array([timestamp, .fields(["dat": .binary([1])])])])),
        (
            "a value with the id zero",
            place([.array([timestamp, .fields(["id": .unsigned(0), "dat": .binary([1])])])])
        ),
        ("an address that is a number", place([.array([timestamp, wholeValue, .unsigned(1)])])),
        ("an end that is a number", place([.array([timestamp, wholeValue, .binary([]), .unsigned(1)])])),
    ]

    @Test(arguments: malformed) func `what cannot be read is left out, and the rest is kept`(
        what: String,
        bad: MessagePackValue
    ) throws {
        let other = Self.place([Self.good], key: .init(repeating: 4, count: 20))
        let state = try NodeState(decoding: Self.state(.array([other, bad, other])))
        #expect(state.values.map(\.value.id) == [5, 5])
        #expect(state.values.allSatisfy { $0.key.bytes.first == 4 })
    }

    @Test func `one bad entry does not cost the others of its key`() throws {
        let state = try NodeState(decoding: Self.state(.array([Self.place([Self.good, .null, Self.good])])))
        #expect(state.values.count == 2)
    }

    @Test func `all widths of times are read`() throws {
        let times: [MessagePackValue] = [
            .extended(type: -1, data: [0, 0, 1, 0]),
            .extended(type: -1, data: [0x1D, 0xCD, 0x65, 0, 0, 0, 1, 0].map { UInt8($0) }),
            .extended(type: -1, data: [0x1D, 0xCD, 0x65, 0, 0, 0, 0, 0, 0, 0, 1, 0]),
        ]
        let entries = times.map { MessagePackValue.array([$0, Self.wholeValue]) }
        let state = try NodeState(decoding: Self.state(.array([Self.place(entries)])))
        #expect(
            state.values.map(\.created) == [256_000, 256_125, 256_500].map { .wallTime(WallTime(milliseconds: $0)) }
        )
    }

    @Test func `values are bounded`() throws {
        let entries = [MessagePackValue](repeating: Self.good, count: 3000)
        let places = [MessagePackValue](repeating: Self.place(entries), count: 22)
        let read = try NodeState(decoding: Self.state(.array(places)))
        #expect(read.values.count == NodeState.valueCapacity)
        #expect(try NodeState(decoding: read.encoded).values.count == NodeState.valueCapacity)
        #expect(throws: WireError.self) { try NodeState(decoding: [UInt8](repeating: 0xC0, count: 128 << 20 + 1)) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading a state is total`(seed: UInt64) throws {
        var mutations = ByteMutations(seed: seed)
        let vectors = try Vectors.load("opendht-state")["state"]
        let originals = ["2.4.12", "4.3.1"].map { vectors[$0]["state_file"].hex }
        for round in 0..<4000 {
            guard let state = try? NodeState(decoding: mutations.next(of: originals[round % 2])) else { continue }
            let again = try NodeState(decoding: state.encoded)
            #expect(again.contacts == state.contacts)
            #expect(again.values.map(\.value) == state.values.map(\.value))
            CoreHarness().core.restore(state.values, now: Instant())
        }
    }
}
