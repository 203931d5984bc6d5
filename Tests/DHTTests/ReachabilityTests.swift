import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

/// What follows when the system has no way to an address, and pings of the user.
@Suite struct ReachabilityTests {
    private let key = InfoHash(hashing: "key")

    /// A core with good nodes, and the nodes that it asks first about the key.
    private func harness(peers: Int) -> CoreHarness {
        let harness = CoreHarness()
        for number in 1...peers { harness.befriend(.init(number)) }
        return harness
    }

    private func answer(_ request: CoreHarness.Sent, to harness: CoreHarness) -> [CoreHarness.Sent] {
        let peer = CoreHarness.Peer(Int(request.receiver.low) - 0x0A00_0000)
        return harness.receive(from: peer) {
            if request.packet.kind == .request(.ping) {
                $0.acknowledgement(request.packet.transaction, to: CoreHarness.own, to: &$1)
            } else {
                $0.answer(request.packet.transaction, .init(token: [1]), to: CoreHarness.own, to: &$1)
            }
        }
    }

    @Test func `a search turns to others at once when there is no way to a node`() {
        let harness = harness(peers: 10)
        _ = harness.core.get(key, now: harness.now)
        let asked = harness.sent()
        #expect(asked.count == Timing.parallelGets)
        harness.core.cannotReach(Set(asked.prefix(2).map(\.receiver)), now: harness.now)
        let others = harness.sent()
        #expect(others.count == 2)
        #expect(Set(others.map(\.receiver)).isDisjoint(with: asked.map(\.receiver)))
        // Being told again changes nothing.
        harness.core.cannotReach(Set(asked.prefix(2).map(\.receiver)), now: harness.now)
        #expect(harness.sent().isEmpty)
        #expect(harness.core.statistics(now: harness.now).good == 10)
    }

    @Test func `a node is given up when it happens again while others are heard from`() {
        var harness = harness(peers: 10)
        _ = harness.core.get(key, now: harness.now)
        let lost = harness.sent()[0].receiver
        harness.core.cannotReach([lost], now: harness.now)
        _ = harness.wait(.milliseconds(600))
        _ = harness.receive(from: .init(50)) { $0.ping(1, to: &$1) }
        #expect(harness.core.statistics(now: harness.now).good == 10)
        harness.core.cannotReach([lost], now: harness.now)
        #expect(harness.core.statistics(now: harness.now).good == 9)
        #expect(harness.core.requests.values.allSatisfy { $0.receiver != lost })
    }

    @Test func `a break of our own connection costs no more nodes than silence does`() {
        var harness = harness(peers: 10)
        _ = harness.core.get(key, now: harness.now)
        var asked = harness.sent()
        // For three seconds nothing can be sent, and nothing comes.
        for _ in 0..<30 {
            harness.core.cannotReach(Set(asked.map(\.receiver)), now: harness.now)
            asked += harness.sent()
            asked += harness.wait(.milliseconds(100))
        }
        #expect(Set(asked.map(\.receiver)).count == 10)
        #expect(harness.core.statistics(now: harness.now).good == 10)
        #expect(harness.core.status == .connected)
        // Then all is as it was.
        asked = harness.wait(.seconds(3))
        var finished = false
        while let request = asked.popLast(), !finished {
            asked += answer(request, to: harness)
            for case .finished(_, let succeeded) in harness.core.takeEvents() { finished = succeeded }
        }
        #expect(finished)
    }

    @Test func `requests that nobody answers end although the system refused them`() {
        var harness = harness(peers: 3)
        _ = harness.core.get(key, now: harness.now)
        harness.core.cannotReach(Set(harness.sent().map(\.receiver)), now: harness.now)
        _ = harness.wait(.seconds(15))
        #expect(harness.core.statistics(now: harness.now).good == 0)
        #expect(harness.core.operations.isEmpty)
    }

    // MARK: Pings

    private func pings(_ events: [NodeEvent]) -> [PingAnswer?] {
        events.compactMap { if case .pinged(_, let answer) = $0 { .some(answer) } else { nil } }
    }

    @Test func `a ping tells who answers, and after how long`() throws {
        var harness = CoreHarness()
        let peer = CoreHarness.Peer(1)
        _ = harness.core.ping(peer.endpoint, now: harness.now)
        let transaction = try #require(harness.core.requests.keys.first)
        harness.now = harness.now + .milliseconds(30)
        // An answer from elsewhere is none.
        for sender in [CoreHarness.Peer(2).endpoint, peer.endpoint, peer.endpoint] {
            _ = harness.receive(from: peer, at: sender) {
                $0.acknowledgement(transaction, to: CoreHarness.own, to: &$1)
            }
        }
        #expect(pings(harness.core.takeEvents()) == [PingAnswer(id: peer.id, roundTrip: .milliseconds(30))])
        #expect(harness.core.states[.ipv4].bootstrapPings == 0)
    }

    @Test func `a ping that nobody can answer ends once`() {
        var harness = CoreHarness()
        _ = harness.core.ping(CoreHarness.Peer(1).endpoint, now: harness.now)
        #expect(pings(harness.core.takeEvents()).isEmpty)
        _ = harness.wait(.seconds(10))
        #expect(pings(harness.core.takeEvents()) == [nil])
        _ = harness.core.ping(Endpoint(ipv4: 0, port: 1), now: harness.now)
        #expect(pings(harness.core.takeEvents()) == [nil])
        let single = CoreHarness(families: .ipv4)
        _ = single.core.ping(CoreHarness.Peer(1, over: .ipv6).endpoint, now: single.now)
        #expect(pings(single.core.takeEvents()) == [nil])
    }
}
