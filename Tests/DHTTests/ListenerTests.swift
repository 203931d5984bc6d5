import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

@Suite struct ListenerTests {
    let key = InfoHash(hashing: "key")
    let writer = CoreHarness.Peer(1)
    let listener = CoreHarness.Peer(2)

    private func listen(_ harness: CoreHarness, socket: UInt32 = 5, query: Query = Query()) -> [CoreHarness.Sent] {
        let token = harness.token(for: listener)
        return harness.receive(from: listener) {
            $0.listen(1, key: key, socket: socket, query: query, token: token, to: &$1)
        }
    }

    @Test func `values that are there come before the confirmation, once`() {
        let harness = CoreHarness()
        harness.put([Value(id: 1), Value(id: 2)], at: key, by: writer)
        let first = listen(harness)
        #expect(first.map(\.packet.kind) == [.request(.update), .reply])
        #expect(first[0].packet.socket == 5 && first[0].packet.key == key)
        #expect(first[0].content["a"]?["values"]?.array?.count == 2)
        #expect(first[1].content["r"]?["token"]?.bytes?.count == 32)
        #expect(listen(harness).map(\.packet.kind) == [.reply])
        #expect(listen(harness, socket: 6).map(\.packet.kind) == [.request(.update), .reply])
    }

    @Test func `new, refreshed and expired values are told`() {
        var harness = CoreHarness()
        harness.befriend(writer)
        harness.befriend(listener)
        _ = listen(harness)
        let pushed = harness.put([Value(id: 3, type: 5)], at: key, by: writer)
        let update = pushed.first { $0.packet.kind == .request(.update) }
        #expect(update?.receiver == listener.endpoint)
        #expect(update?.content["a"]?["token"]?.bytes == harness.token(for: listener))
        _ = harness.receive(from: listener) {
            $0.acknowledgement(update?.packet.transaction ?? 0, to: CoreHarness.own, to: &$1)
        }

        let again = harness.put([Value(id: 3, type: 5)], at: key, by: writer)
        let refreshed = again.first { $0.packet.kind == .request(.update) }
        #expect(refreshed?.packet.refreshed == [3])
        _ = harness.receive(from: listener) {
            $0.acknowledgement(refreshed?.packet.transaction ?? 0, to: CoreHarness.own, to: &$1)
        }

        let later = harness.wait(.seconds(61))
        #expect(later.contains { $0.packet.kind == .request(.update) && $0.packet.expired == [3] })
    }

    @Test func `a listener's filter is kept`() {
        let harness = CoreHarness()
        _ = listen(harness, query: Query(filters: [.type(7)]))
        #expect(harness.put([Value(id: 1, type: 9)], at: key, by: writer).count == 1)
        #expect(harness.put([Value(id: 2, type: 7)], at: key, by: writer).count == 2)
    }

    @Test func `a registration ends after ten minutes`() {
        var harness = CoreHarness()
        harness.core.start(now: harness.now, wallTime: WallTime(seconds: 1_800_000_000))
        _ = listen(harness)
        #expect(harness.core.storage.listeners(at: key).count == 1)
        _ = harness.wait(.seconds(17 * 60))
        #expect(harness.core.storage.listeners(at: key).isEmpty)
    }

    @Test func `many values come in several updates`() {
        let harness = CoreHarness()
        for id in 1...5 as ClosedRange<UInt64> {
            harness.put([Value(id: id, data: [UInt8](repeating: 1, count: 400))], at: key, by: writer)
        }
        let local = Value(id: 9, data: [UInt8](repeating: 2, count: 50_000))
        let other = Value(id: 10, data: [UInt8](repeating: 3, count: 50_000))
        for value in [local, other] {
            _ = harness.core.put(value, at: key, permanent: false, isIDDrawn: true, now: harness.now)
        }
        _ = harness.sent()
        let sent = listen(harness)
        #expect(sent.count { $0.packet.kind == .request(.update) } == 2)
    }

    @Test func `a listener of the oldest kind gets replies to its socket`() throws {
        let harness = CoreHarness()
        harness.put([Value(id: 1)], at: key, by: writer)
        let token = harness.token(for: listener)
        let request = MessagePackValue.fields([
            "a": .fields([
                "id": .binary(listener.id.bytes), "h": .binary(key.bytes), "token": .binary(token),
                "sid": .unsigned(44),
            ]),
            "q": .text("listen"), "t": .unsigned(3), "y": .text("q"),
        ]).encoded
        let sent = harness.receive(request, from: listener.endpoint)
        #expect(sent.map(\.packet.transaction) == [44, 3])
        #expect(sent[0].packet.kind == .reply)
    }

    @Test func `an update is acknowledged even when nobody listens`() {
        let harness = CoreHarness()
        let values = OutgoingValues([Value(id: 1, data: [UInt8](repeating: 1, count: 5000)).encoded])
        let sent = harness.receive(from: writer) {
            $0.update(8, key: key, socket: 99, values: values, token: [1], to: &$1)
        }
        #expect(sent.map(\.packet.kind) == [.reply])
        #expect(sent.map(\.packet.transaction) == [8])
    }

    @Test func `a put that we store is heard by our own listener`() {
        let harness = CoreHarness()
        let operation = harness.core.listen(at: key, now: harness.now)
        _ = harness.core.takeEvents()
        harness.put([Value(id: 1)], at: key, by: writer)
        harness.put([Value(id: 1)], at: key, by: writer)
        let heard = harness.core.takeEvents().compactMap { event -> [UInt64]? in
            if case .values(operation, let values) = event { values.map(\.id) } else { nil }
        }
        #expect(heard == [[1]])
    }

    @Test(arguments: [false, true]) func `where nodes stay for long, they are told less often what is listened to`(
        isStable: Bool
    ) {
        var harness = CoreHarness(isStable: isStable)
        harness.befriend(listener)
        _ = harness.core.listen(at: key, now: harness.now)
        var requests = harness.sent()
        var times: [Duration] = []
        let start = harness.now
        while harness.now - start < .seconds(600) {
            while let request = requests.popLast() {
                if request.packet.kind == .request(.listen) { times.append(harness.now - start) }
                requests += harness.receive(from: listener) {
                    if request.packet.kind == .request(.listen) {
                        $0.acknowledgement(request.packet.transaction, to: CoreHarness.own, to: &$1)
                    } else {
                        $0.answer(request.packet.transaction, .init(token: [1]), to: CoreHarness.own, to: &$1)
                    }
                }
            }
            requests += harness.wait(.seconds(1))
        }
        let pauses = zip(times, times.dropFirst()).map { $1 - $0 }
        // Never after the ten minutes for which a registration lives.
        #expect(pauses.allSatisfy { $0 < (isStable ? .seconds(300) : .seconds(30)) })
        #expect(isStable ? (2...4).contains(times.count) : times.count > 20)
    }
}
