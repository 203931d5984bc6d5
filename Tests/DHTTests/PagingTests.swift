import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

@Suite struct PagingTests {
    let key = InfoHash(hashing: "key")
    let peer = CoreHarness.Peer(1)

    private func value(_ id: UInt64, bytes: Int = 900) -> Value {
        Value(id: id, data: [UInt8](repeating: UInt8(truncatingIfNeeded: id), count: bytes))
    }

    private func connected() -> CoreHarness {
        let harness = CoreHarness()
        harness.befriend(peer)
        _ = harness.core.takeEvents()
        return harness
    }

    /// Answers a request with values, of whose parts some do not arrive.
    private func answer(
        _ harness: CoreHarness,
        _ request: CoreHarness.Sent,
        _ values: [Value],
        losing lost: Set<Int> = []
    ) -> [CoreHarness.Sent] {
        let outgoing = OutgoingValues(values.map(\.encoded))
        var sent = harness.receive(from: peer) {
            var answer = PacketWriter.Answer(token: [1])
            answer.values = outgoing
            $0.answer(request.packet.transaction, answer, to: CoreHarness.own, to: &$1)
        }
        guard !outgoing.isInline else { return sent }
        for (index, encoded) in outgoing.encoded.enumerated() where !lost.contains(index) {
            sent += harness.receive(from: peer) {
                $0.part(request.packet.transaction, index: index, offset: 0, bytes: encoded[...], to: &$1)
            }
        }
        return sent
    }

    /// Requests without those that were sent again.
    private func once(_ sent: [CoreHarness.Sent]) -> [CoreHarness.Sent] {
        var seen: Set<UInt32> = []
        return sent.filter { seen.insert($0.packet.transaction).inserted }
    }

    /// Answers requests until there are none, from these values.
    private func serve(_ harness: CoreHarness, _ sent: [CoreHarness.Sent], _ values: [Value]) -> [Query] {
        var waiting = once(sent)
        var queries: [Query] = []
        while !waiting.isEmpty {
            let request = waiting.removeFirst()
            guard request.packet.kind == .request(.get) else { continue }
            let query = request.packet.query ?? Query()
            queries.append(query)
            let found = values.filter { query.matches($0) }
            if query.fields.isEmpty {
                waiting += answer(harness, request, found)
            } else {
                var answer = PacketWriter.Answer(token: [1])
                answer.rows = (query.fields, found)
                waiting += harness.receive(from: peer) {
                    $0.answer(request.packet.transaction, answer, to: CoreHarness.own, to: &$1)
                }
            }
        }
        return queries
    }

    private func result(_ harness: CoreHarness) -> (ids: [UInt64], isFinished: Bool) {
        var ids: [UInt64] = []
        var isFinished = false
        for event in harness.core.takeEvents() {
            if case .values(_, let values) = event { ids += values.map(\.id) }
            if case .finished(_, let succeeded) = event { isFinished = succeeded }
        }
        return (ids, isFinished)
    }

    @Test func `an answer of which values got lost is fetched value by value`() throws {
        var harness = connected()
        _ = harness.core.get(key, filters: [.type(0)], now: harness.now)
        let request = try #require(harness.sent().first)
        let values = (1...9).map { value($0) }
        #expect(answer(harness, request, values, losing: [2, 3, 7]).isEmpty)
        #expect(result(harness).ids.isEmpty)
        // What came is told when it is clear that no more comes.
        let again = once(harness.wait(.milliseconds(1300)))
        #expect(again.map(\.packet.query) == [Query(fields: [.id], filters: [.type(0)])])
        #expect(result(harness).ids == [1, 2, 5, 6, 7, 9])
        let queries = serve(harness, again, values)
        #expect(queries.dropFirst().map(\.filters) == [3, 4, 8].map { [.type(0), .id($0)] })
        let (ids, isFinished) = result(harness)
        #expect(ids == [3, 4, 8] && isFinished)
    }

    @Test func `a few values are fetched at the same time`() throws {
        var harness = connected()
        _ = harness.core.get(key, now: harness.now)
        let request = try #require(harness.sent().first)
        let values = (1...9).map { value($0) }
        _ = answer(harness, request, values, losing: Set(0..<9))
        let ids = try #require(harness.wait(.milliseconds(1300)).first)
        var answer = PacketWriter.Answer(token: [1])
        answer.rows = ([.id], values + [Value(id: 0), Value(id: 1)])
        var sent = harness.receive(from: peer) {
            $0.answer(ids.packet.transaction, answer, to: CoreHarness.own, to: &$1)
        }
        try #require(sent.map(\.packet.query) == (1...4).map { Query(filters: [.id($0)]) })
        // A lost answer is asked for again on its own.
        sent = self.answer(harness, sent[1], [values[1]])
        #expect(sent.map(\.packet.query) == [Query(filters: [.id(5)])])
        #expect(once(harness.wait(.milliseconds(1300))).count == 4)
    }

    @Test func `an answer that is still coming is not asked for again`() throws {
        var harness = connected()
        _ = harness.core.get(key, now: harness.now)
        let request = try #require(harness.sent().first)
        let encoded = value(1, bytes: 60_000).encoded
        _ = harness.receive(from: peer) {
            var answer = PacketWriter.Answer(token: [1])
            answer.values = OutgoingValues([encoded])
            $0.answer(request.packet.transaction, answer, to: CoreHarness.own, to: &$1)
        }
        for part in 0..<20 {
            let offset = part * WireConstants.partSize
            _ = harness.receive(from: peer) {
                let bytes = encoded[offset..<offset + WireConstants.partSize]
                $0.part(request.packet.transaction, index: 0, offset: offset, bytes: bytes, to: &$1)
            }
            #expect(harness.wait(.milliseconds(100)).isEmpty)
        }
        // Then it stops, and all of it is asked for: one value cannot be fetched in pages.
        let again = harness.wait(.milliseconds(600))
        #expect(again.map(\.bytes) == [request.bytes])
    }

    @Test func `an answer of more values than one message may have is fetched value by value`() throws {
        let harness = connected()
        _ = harness.core.get(key, now: harness.now)
        let request = try #require(harness.sent().first)
        let large = (1...4097 as ClosedRange<UInt64>).map { value($0, bytes: 0) }
        let header = answer(harness, request, large, losing: Set(0..<4097))
        #expect(header.map(\.packet.query) == [Query(fields: [.id])])
        let queries = serve(harness, header, Array(large.prefix(50)))
        #expect(queries.count == 51)
        let (ids, isFinished) = result(harness)
        #expect(ids.sorted() == Array(1...50) && isFinished)
    }

    @Test func `a get that was cancelled fetches no further pages`() throws {
        var harness = connected()
        let get = harness.core.get(key, now: harness.now)
        let request = try #require(harness.sent().first)
        let values = (1...9).map { value($0) }
        _ = answer(harness, request, values, losing: Set(0..<9))
        let ids = harness.wait(.milliseconds(1300))
        harness.core.cancel(get, now: harness.now)
        #expect(serve(harness, ids, values) == [Query(fields: [.id])])
        let again = harness.core.get(key, now: harness.now)
        #expect(serve(harness, harness.sent(), Array(values.prefix(1))) == [Query()])
        #expect(harness.core.operations[again] == nil)
    }

    @Test func `a node that is gone while its values are fetched does not hold the get up`() throws {
        var harness = connected()
        _ = harness.core.get(key, now: harness.now)
        let request = try #require(harness.sent().first)
        _ = answer(harness, request, (1...9).map { value($0) }, losing: Set(0..<9))
        _ = harness.wait(.seconds(30))
        let isOver = harness.core.takeEvents().contains { if case .finished = $0 { true } else { false } }
        #expect(isOver)
    }

    @Test func `many ids fit into one answer of ours`() {
        let harness = CoreHarness()
        for id in 1...3000 as ClosedRange<UInt64> {
            _ = harness.core.put(Value(id: id), at: key, permanent: false, isIDDrawn: true, now: harness.now)
        }
        _ = harness.sent()
        let answers = harness.receive(from: peer) { $0.get(5, key: key, query: Query(fields: [.id]), to: &$1) }
        let cells = answers.first?.content["r"]?["fileds"]?["v"]?.array ?? []
        #expect(cells.count > 1000)
        #expect((answers.first?.bytes.count ?? 0) < 16_384)
    }
}
