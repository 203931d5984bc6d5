import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

@Suite struct ServingTests {
    let key = InfoHash(hashing: "key")
    let peer = CoreHarness.Peer(1)

    @Test func `a ping is answered with the address it came from`() {
        let harness = CoreHarness()
        let answers = harness.receive(from: peer) { $0.ping(77, to: &$1) }
        #expect(answers.count == 1)
        #expect(answers[0].packet.kind == .reply && answers[0].packet.transaction == 77)
        #expect(answers[0].content["r"]?["sa"]?.bytes == [10, 0, 0, 1])
        #expect(answers[0].receiver == peer.endpoint)
    }

    @Test func `packets of other networks, of nobody, of ourselves and of martians are not answered`() {
        let harness = CoreHarness(network: 7)
        let local = CoreHarness.Peer(1, network: 7)
        #expect(harness.receive(from: local) { $0.ping(1, to: &$1) }.count == 1)
        #expect(harness.receive(from: peer) { $0.ping(1, to: &$1) }.isEmpty)
        for id in [InfoHash.zero, harness.core.id] {
            var writer = MessagePackWriter()
            PacketWriter(id: id, network: 7).ping(1, to: &writer)
            #expect(harness.receive(writer.bytes, from: peer.endpoint).isEmpty)
        }
        for martian in [
            Endpoint(ipv4: 0x0A00_0001, port: 0), Endpoint(ipv4: 0x0000_0001, port: 1),
            Endpoint(ipv4: 0xE000_0001, port: 1), Endpoint(ipv4: .max, port: 1), Endpoint(ipv6: 0, 0, port: 1),
            Endpoint(ipv6: 0xFF02 << 48, 1, port: 1),
        ] {
            #expect(harness.receive(from: local, at: martian) { $0.ping(1, to: &$1) }.isEmpty)
        }
    }

    @Test func `every answer to find and get carries a token of 32 bytes`() {
        let harness = CoreHarness()
        let found = harness.receive(from: peer) { $0.find(1, target: .zero, to: &$1) }
        let got = harness.receive(from: peer) { $0.get(1, key: key, query: Query(), to: &$1) }
        #expect(found.first?.content["r"]?["token"]?.bytes?.count == 32)
        #expect(got.first?.content["r"]?["token"]?.bytes?.count == 32)
    }

    @Test func `only good nodes are told of, the closest first, and no clients`() {
        let harness = CoreHarness()
        for number in 2..<14 { harness.befriend(.init(number, isClient: number == 5)) }
        let answer = harness.receive(from: peer) { $0.find(1, target: key, to: &$1) }[0]
        var contacts: [Contact] = []
        _ = CompactNodes.visit(answer.bytes.span.bytes, answer.packet.nodes4 ?? 0..<0, family: .ipv4) {
            contacts.append($0)
        }
        let expected = (2..<14).filter { $0 != 5 }.map { CoreHarness.Peer($0).id }
            .sorted { $0.isCloser(to: key, than: $1) }
        #expect(contacts.map(\.id) == Array(expected.prefix(8)))
        let none = harness.receive(from: peer) { $0.find(1, target: key, want: .ipv6, to: &$1) }[0]
        #expect(none.packet.nodes4 == nil)
    }

    @Test func `a key of zero is an error`() {
        let harness = CoreHarness()
        let token = harness.token(for: peer)
        let answers =
            harness.receive(from: peer) { $0.get(1, key: .zero, query: Query(), to: &$1) }
            + harness.put([Value(id: 1)], at: .zero, by: peer, token: token)
            + harness.receive(from: peer) { $0.listen(1, key: .zero, socket: 5, query: Query(), token: token, to: &$1) }
        #expect(answers.map(\.packet.kind) == Array(repeating: .failure(code: 203), count: 3))
    }

    @Test func `a wrong token is an error, and so is one of another address`() {
        let harness = CoreHarness()
        let foreign = harness.token(for: .init(2))
        for token in [[], [1], foreign, [UInt8](repeating: 0, count: 65)] {
            #expect(
                harness.put([Value(id: 1)], at: key, by: peer, token: token).map(\.packet.kind) == [.failure(code: 401)]
            )
            let refreshed = harness.receive(from: peer) { $0.refresh(1, key: key, valueID: 1, token: token, to: &$1) }
            #expect(refreshed.map(\.packet.kind) == [.failure(code: 401)])
            let listened = harness.receive(from: peer) {
                $0.listen(1, key: key, socket: 5, query: Query(), token: token, to: &$1)
            }
            #expect(listened.map(\.packet.kind) == [.failure(code: 401)])
        }
        #expect(harness.core.storage.valueCount == 0)
    }

    @Test func `a token lives until its secret was rotated twice`() {
        var harness = CoreHarness()
        harness.core.start(now: harness.now, wallTime: WallTime(seconds: 1_800_000_000))
        let token = harness.token(for: peer)
        _ = harness.wait(.seconds(14 * 60))
        #expect(harness.put([Value(id: 1)], at: key, by: peer, token: token).map(\.packet.valueID) == [1])
        _ = harness.wait(.seconds(91 * 60))
        #expect(
            harness.put([Value(id: 1)], at: key, by: peer, token: token).map(\.packet.kind) == [.failure(code: 401)]
        )
    }

    @Test func `each value of a put is confirmed on its own, and id zero is an error`() {
        let harness = CoreHarness()
        let answers = harness.put([Value(id: 1), Value(id: 0), Value(id: 2)], at: key, by: peer)
        #expect(answers.map(\.packet.valueID) == [1, 0, 2])
        #expect(answers[1].packet.kind == .failure(code: 203))
        #expect(harness.core.storage.values(at: key).map(\.value.id) == [1, 2])
    }

    @Test func `a value is served until its type's lifetime is over, counted from its creation`() {
        var harness = CoreHarness()
        harness.put([Value(id: 1), Value(id: 2, type: 5)], at: key, by: peer)
        harness.put([Value(id: 3)], at: key, by: peer, created: 1_800_000_000 - 590)
        harness.put([Value(id: 4)], at: key, by: peer, created: 1_800_000_000 - 601)
        harness.put([Value(id: 5)], at: key, by: peer, created: 1_900_000_000)
        func ids() -> [UInt64] { harness.core.storage.values(at: key).map(\.value.id) }
        #expect(ids() == [1, 2, 3, 5])
        _ = harness.wait(.seconds(11))
        #expect(ids() == [1, 2, 5])
        _ = harness.wait(.seconds(50))
        #expect(ids() == [1, 5])
        _ = harness.wait(.seconds(540))
        #expect(ids().isEmpty)
    }

    @Test func `a refresh lengthens a value's life, and an unknown value is an error`() {
        var harness = CoreHarness()
        harness.put([Value(id: 1)], at: key, by: peer)
        _ = harness.wait(.seconds(500))
        let token = harness.token(for: peer)
        let known = harness.receive(from: peer) { $0.refresh(1, key: key, valueID: 1, token: token, to: &$1) }
        let unknown = harness.receive(from: peer) { $0.refresh(1, key: key, valueID: 2, token: token, to: &$1) }
        #expect(known.map(\.packet.valueID) == [1])
        #expect(unknown.map(\.packet.kind) == [.failure(code: 404)])
        _ = harness.wait(.seconds(500))
        #expect(harness.core.storage.valueCount == 1)
        _ = harness.wait(.seconds(101))
        #expect(harness.core.storage.valueCount == 0)
    }

    @Test func `selected fields are answered as rows, filtered`() throws {
        let harness = CoreHarness()
        harness.put([Value(id: 1, type: 7), Value(id: 2, type: 8, data: []), Value(id: 3, type: 7)], at: key, by: peer)
        let query = Query(fields: [.id], filters: [.type(7)])
        let answer = harness.receive(from: peer) { $0.get(1, key: key, query: query, to: &$1) }[0]
        let rows = try FieldRows.decode(answer.bytes.span.bytes.extracting(try #require(answer.packet.fields)))
        #expect(rows.map(\.id) == [1, 3])
        #expect(answer.packet.values == nil)
    }

    @Test func `large values follow their message in parts`() throws {
        let harness = CoreHarness()
        let value = Value(id: 1, data: [UInt8](repeating: 5, count: 3000))
        let outgoing = OutgoingValues([value.encoded])
        let token = harness.token(for: peer)
        #expect(
            harness.receive(from: peer) { $0.put(3, key: key, values: outgoing, created: nil, token: token, to: &$1) }
                .isEmpty
        )
        var confirmations: [CoreHarness.Sent] = []
        // The last part first.
        for offset in [2560, 0, 1280] {
            let bytes = value.encoded[offset..<min(offset + 1280, value.encoded.count)]
            confirmations += harness.receive(from: peer) { $0.part(3, index: 0, offset: offset, bytes: bytes, to: &$1) }
        }
        #expect(confirmations.map(\.packet.valueID) == [1])
        let answers = harness.receive(from: peer) { $0.get(4, key: key, query: Query(), to: &$1) }
        #expect(answers.map(\.packet.kind) == [.reply, .part, .part, .part])
        #expect(answers.allSatisfy { $0.packet.transaction == 4 })
        #expect(answers[0].content["r"]?["values"] == .array([.unsigned(UInt64(value.encoded.count))]))
    }

    @Test func `requests beyond the rate of one address are dropped`() {
        let harness = CoreHarness()
        var answered = 0
        for _ in 0..<1600 { answered += harness.receive(from: peer) { $0.ping(1, to: &$1) }.count }
        #expect(answered == 1024)
        #expect(harness.receive(from: .init(2)) { $0.ping(1, to: &$1) }.count == 1)
    }

    @Test func `an address is worth the total when too many are told apart`() {
        var table = RateTable(perAddress: 2, total: 10, addressLimit: 3)
        var admitted = 0
        for address in 1...20 as ClosedRange<UInt32> {
            if table.admit(Endpoint(ipv4: address, port: 1), now: Instant()) { admitted += 1 }
        }
        #expect(admitted == 10)
        let isAdmittedLater = table.admit(Endpoint(ipv4: 99, port: 1), now: Instant(nanoseconds: 2_100_000_000))
        #expect(isAdmittedLater)
    }

    @Test func `a value for a key that is far away is confirmed and not kept`() {
        // Our id shares no bit with the key, and many others share more.
        let harness = CoreHarness(id: InfoHash(high: .max, middle: .max, low: .max))
        for number in 2..<40 { harness.befriend(.init(number)) }
        #expect(
            harness.put([Value(id: 1)], at: InfoHash(high: 0, middle: 1, low: 0), by: peer).map(\.packet.valueID) == [1]
        )
        #expect(harness.core.storage.valueCount == 0)
        harness.put([Value(id: 1)], at: InfoHash(high: .max, middle: .max, low: 1), by: peer)
        #expect(harness.core.storage.valueCount == 1)
    }
}

@Suite struct AnswerLimitTests {
    let key = InfoHash(hashing: "key")

    /// A core that keeps some megabytes at one key.
    private func full(_ limits: NodeLimits = NodeLimits()) -> CoreHarness {
        let harness = CoreHarness(limits: limits)
        for id in 1...50 as ClosedRange<UInt64> {
            let value = Value(id: id, data: [UInt8](repeating: 1, count: 60_000))
            _ = harness.core.put(value, at: key, permanent: false, isIDDrawn: true, now: harness.now)
        }
        _ = harness.sent()
        return harness
    }

    private func count(_ sent: [CoreHarness.Sent]) -> Int {
        sent.first { $0.packet.kind == .reply }?.content["r"]?["values"]?.array?.count ?? 0
    }

    @Test func `who may have forged its address gets less than a node that has answered`() {
        let harness = full()
        let stranger = CoreHarness.Peer(1)
        let friend = CoreHarness.Peer(2)
        harness.befriend(friend)
        let small = harness.receive(from: stranger) { $0.get(1, key: key, query: Query(), to: &$1) }
        let large = harness.receive(from: friend) { $0.get(1, key: key, query: Query(), to: &$1) }
        #expect(count(small) == 2)
        #expect(count(large) == 34)
    }

    @Test func `bytes in a second are bounded`() {
        let harness = full()
        let friend = CoreHarness.Peer(2)
        harness.befriend(friend)
        var answers = 0
        for _ in 0..<20 {
            answers += harness.receive(from: friend) { $0.get(1, key: key, query: Query(), to: &$1) }.isEmpty ? 0 : 1
        }
        #expect(answers == 5)
        #expect(harness.receive(from: friend) { $0.ping(1, to: &$1) }.count == 1)
    }

    @Test func `rows of fields fit into one datagram`() {
        let harness = CoreHarness()
        for id in 1...2000 as ClosedRange<UInt64> {
            let value = Value(id: id, userType: String(repeating: "u", count: 60))
            _ = harness.core.put(value, at: key, permanent: false, isIDDrawn: true, now: harness.now)
        }
        _ = harness.sent()
        let sent = harness.receive(from: .init(1)) {
            $0.get(1, key: key, query: Query(fields: ValueField.allCases), to: &$1)
        }
        #expect(sent.count == 1)
        #expect(sent[0].bytes.count < 16_000)
        #expect(sent[0].packet.fields != nil)
    }
}
