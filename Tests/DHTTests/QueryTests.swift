import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

@Suite struct QueryTests {
    let key = InfoHash(hashing: "key")
    let peer = CoreHarness.Peer(1)
    let signed = Value(id: 2, type: 3, userType: "u", owner: [9], sequence: 4, signature: [1])

    private func rows(of operation: OperationID, _ harness: CoreHarness) -> [FieldRow] {
        harness.core.takeEvents().flatMap { event -> [FieldRow] in
            if case .rows(operation, let rows) = event { rows } else { [] }
        }
    }

    /// Has the peer answer all gets that the core sends; the queries that were asked.
    private func serve(
        _ harness: inout CoreHarness,
        _ sent: [CoreHarness.Sent],
        rows: ([ValueField], [Value])? = nil,
        values: [Value] = []
    ) -> [Query] {
        var queries: [Query] = []
        for request in sent where request.packet.kind == .request(.get) || request.packet.kind == .request(.find) {
            if request.packet.kind == .request(.get) { queries.append(request.packet.query ?? Query()) }
            var answer = PacketWriter.Answer(token: [1])
            if request.packet.kind == .request(.get) {
                answer.rows = rows
                answer.values = OutgoingValues(values.map(\.encoded))
            }
            let more = harness.receive(from: peer) {
                $0.answer(request.packet.transaction, answer, to: CoreHarness.own, to: &$1)
            }
            queries += serve(&harness, more, rows: rows, values: values)
        }
        return queries
    }

    private func connected() -> CoreHarness {
        let harness = CoreHarness()
        harness.befriend(peer)
        _ = harness.core.takeEvents()
        return harness
    }

    @Test func `rows come from here first, then from others, each once`() {
        var harness = connected()
        harness.put([Value(id: 1)], at: key, by: peer)
        let operation = harness.core.query(key, Query(fields: [.id, .sequence]), now: harness.now)
        #expect(rows(of: operation, harness) == [FieldRow(id: 1, sequence: 0)])
        let asked = serve(&harness, harness.sent(), rows: ([.id, .sequence], [Value(id: 1), signed]))
        #expect(asked == [Query(fields: [.id, .sequence])])
        #expect(rows(of: operation, harness) == [FieldRow(id: 2, sequence: 4)])
    }

    @Test func `the edition is filtered here, and its field asked for`() {
        var harness = connected()
        let query = Query(fields: [.id], filters: [.sequence(4), .userType("u")])
        let operation = harness.core.query(key, query, now: harness.now)
        let rows = ([ValueField.id, .sequence], [signed, Value(id: 7, owner: [9], sequence: 5, signature: [1])])
        let asked = serve(&harness, harness.sent(), rows: rows)
        #expect(asked == [Query(fields: [.id, .sequence], filters: [.userType("u")])])
        #expect(self.rows(of: operation, harness) == [FieldRow(id: 2)])
    }

    @Test func `a query for whole values gets all fields`() {
        var harness = connected()
        let operation = harness.core.query(key, Query(filters: [.type(3)]), now: harness.now)
        let asked = serve(&harness, harness.sent(), rows: (ValueField.allCases, [signed]))
        #expect(asked == [Query(fields: ValueField.allCases, filters: [.type(3)])])
        #expect(rows(of: operation, harness) == [FieldRow(signed, fields: ValueField.allCases)])
    }

    @Test func `whole values serve as rows, and rows that the filters exclude do not`() {
        var harness = connected()
        let operation = harness.core.query(key, Query(fields: [.id], filters: [.type(3)]), now: harness.now)
        _ = serve(&harness, harness.sent(), values: [Value(id: 1), signed])
        #expect(rows(of: operation, harness) == [FieldRow(id: 2)])
    }

    @Test func `a row that says less than a known one is left out`() {
        var found = FoundRows(fields: [.id, .type], limit: 3)
        let admitted = [
            FieldRow(id: 1, type: 2), FieldRow(id: 1), FieldRow(type: 2), FieldRow(), FieldRow(id: 2),
            FieldRow(id: 2, type: 2, owner: .zero), FieldRow(id: 3, type: 3),
        ]
        .compactMap { found.admit($0, []) }
        #expect(admitted == [FieldRow(id: 1, type: 2), FieldRow(id: 2), FieldRow(id: 2, type: 2)])
    }

    @Test func `gets and listens send their filters, and keep to those that others do not know`() {
        var harness = connected()
        let other = Value(id: 3, owner: [9], sequence: 5, signature: [1])
        let get = harness.core.get(key, filters: [.id(2), .sequence(4)], now: harness.now)
        let asked = serve(&harness, harness.sent(), values: [signed, other])
        #expect(asked == [Query(filters: [.id(2)])])
        let found = harness.core.takeEvents().compactMap { event -> [Value]? in
            if case .values(get, let values) = event { values } else { nil }
        }
        #expect(found == [[signed]])

        _ = harness.core.listen(at: key, filters: [.type(3), .sequence(4)], now: harness.now)
        let listens = harness.sent().filter { $0.packet.kind == .request(.listen) }
        #expect(listens.map(\.packet.query) == [Query(filters: [.type(3)])])
    }

    @Test func `a query ends like a get`() {
        var harness = connected()
        let operation = harness.core.query(.zero, Query(), now: harness.now)
        let running = harness.core.query(key, Query(), now: harness.now)
        _ = serve(&harness, harness.sent())
        let ended = harness.core.takeEvents().compactMap { event -> OperationID? in
            if case .finished(let operation, _) = event { operation } else { nil }
        }
        #expect(ended == [operation, running])
    }
}
