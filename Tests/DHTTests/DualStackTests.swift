import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

/// Two address families in one core.
@Suite struct DualStackTests {
    private let key = InfoHash(hashing: "key")
    private let four = CoreHarness.Peer(1)
    private let six = CoreHarness.Peer(1, over: .ipv6)

    private func nodes(_ sent: CoreHarness.Sent, _ family: Endpoint.Family) -> [Contact] {
        var contacts: [Contact] = []
        let range = family == .ipv4 ? sent.packet.nodes4 : sent.packet.nodes6
        guard let range else { return [] }
        _ = CompactNodes.visit(sent.bytes.span.bytes, range, family: family) { contacts.append($0) }
        return contacts
    }

    /// Answers a request of the core.
    private func answer(
        _ request: CoreHarness.Sent,
        to harness: CoreHarness,
        _ answer: PacketWriter.Answer = .init(token: [1])
    ) -> [CoreHarness.Sent] {
        let peer = request.receiver.family == .ipv4 ? four : six
        return harness.receive(from: peer) { writer, output in
            switch request.packet.kind {
            case .request(.put):
                writer.confirmation(request.packet.transaction, of: 5, to: CoreHarness.own, to: &output)
            case .request(.find), .request(.get):
                writer.answer(request.packet.transaction, answer, to: CoreHarness.own, to: &output)
            default:
                writer.acknowledgement(request.packet.transaction, to: CoreHarness.own, to: &output)
            }
        }
    }

    private func finished(_ events: [NodeEvent]) -> [Bool] {
        events.compactMap { if case .finished(_, let succeeded) = $0 { succeeded } else { nil } }
    }

    private func values(_ events: [NodeEvent]) -> [Value] {
        events.flatMap { if case .values(_, let values) = $0 { values } else { [Value]() } }
    }

    private func families(_ sent: [CoreHarness.Sent], _ method: DHT.Method) -> [Endpoint.Family] {
        sent.filter { $0.packet.kind == .request(method) }.map(\.receiver.family)
    }

    // MARK: Serving

    @Test func `nodes are told of in the family of the request, or in those that it wants`() {
        let harness = CoreHarness()
        for number in 1..<5 {
            harness.befriend(.init(number))
            harness.befriend(.init(number + 10, over: .ipv6))
        }
        let wants: [(Endpoint.Family, Endpoint.Families?, Int, Int)] = [
            (.ipv4, nil, 4, 0), (.ipv6, nil, 0, 4), (.ipv4, .ipv6, 0, 4), (.ipv6, .ipv4, 4, 0), (.ipv4, .both, 4, 4),
            (.ipv6, .both, 4, 4), (.ipv4, [], 0, 0),
        ]
        for (family, want, count4, count6) in wants {
            let peer = CoreHarness.Peer(50, over: family)
            let found = harness.receive(from: peer) { $0.find(1, target: key, want: want, to: &$1) }
            let got = harness.receive(from: peer) { $0.get(1, key: key, query: Query(), want: want, to: &$1) }
            for answer in found + got {
                #expect(nodes(answer, .ipv4).count == count4)
                #expect(nodes(answer, .ipv6).count == count6)
                #expect(nodes(answer, .ipv6).allSatisfy { $0.endpoint.family == .ipv6 })
            }
        }
    }

    @Test func `one id at two addresses is a node in each table`() {
        let harness = CoreHarness()
        harness.befriend(four)
        harness.befriend(six)
        let table = harness.core.routingTable(now: harness.now)
        #expect(table.ipv4.flatMap(\.nodes).map(\.endpoint) == [four.endpoint])
        #expect(table.ipv6.flatMap(\.nodes).map(\.endpoint) == [six.endpoint])
        let statistics = harness.core.statistics(now: harness.now)
        #expect(statistics.ipv4.good == 1 && statistics.ipv6.good == 1 && statistics.good == 2)
        #expect(statistics.ipv4.status == .connected && statistics.ipv6.status == .connected)
        #expect(Set(harness.core.state(now: harness.now).contacts.map(\.endpoint)) == [four.endpoint, six.endpoint])
    }

    @Test func `a token of IPv6 is good for its address alone`() {
        let harness = CoreHarness()
        let token = harness.token(for: six)
        let neighbour = Endpoint(ipv6: six.endpoint.high, 2, port: 4222)
        #expect(harness.put([Value(id: 1)], at: key, by: six, token: token).map(\.packet.valueID) == [1])
        let foreign = harness.receive(from: six, at: neighbour) {
            $0.refresh(1, key: key, valueID: 1, token: token, to: &$1)
        }
        #expect(foreign.map(\.packet.kind) == [.failure(code: 401)])
        let answer = harness.receive(from: six) { $0.ping(1, to: &$1) }
        #expect(answer.first?.content["r"]?["sa"]?.bytes == six.endpoint.addressBytes)
    }

    @Test func `the addresses of one IPv6 network share a rate`() {
        let harness = CoreHarness()
        var answered = 0
        for host in 1...1600 as ClosedRange<UInt64> {
            let endpoint = Endpoint(ipv6: six.endpoint.high, host, port: 4222)
            answered += harness.receive(from: six, at: endpoint) { $0.ping(1, to: &$1) }.count
        }
        #expect(answered == 1024)
        #expect(harness.receive(from: .init(2, over: .ipv6)) { $0.ping(1, to: &$1) }.count == 1)
    }

    // MARK: Learning

    @Test func `nodes of the other family in an answer get into its table, and its searches`() {
        let harness = CoreHarness()
        harness.befriend(four)
        _ = harness.core.listen(at: key, now: harness.now)
        let asked = harness.sent()
        #expect(families(asked, .find) == [.ipv4])
        var answer = PacketWriter.Answer(token: [1])
        answer.nodes6 = [CoreHarness.Peer(7, over: .ipv6).contact]
        let next = self.answer(asked[0], to: harness, answer)
        #expect(
            next.contains { $0.receiver == answer.nodes6[0].endpoint } || !harness.core.nodes.all(of: .ipv6).isEmpty
        )
        #expect(harness.core.nodes.all(of: .ipv6).map(\.id) == [CoreHarness.Peer(7).id])
        let search = harness.core.searchSnapshots(now: harness.now).first { $0.key == key && $0.family == .ipv6 }
        #expect(search?.members.map(\.node.endpoint) == [answer.nodes6[0].endpoint])
    }

    @Test func `a node without IPv6 takes no note of its addresses`() {
        let harness = CoreHarness(families: .ipv4)
        harness.befriend(four)
        _ = harness.core.listen(at: key, now: harness.now)
        var answer = PacketWriter.Answer(token: [1])
        answer.nodes6 = [CoreHarness.Peer(7, over: .ipv6).contact]
        _ = self.answer(harness.sent()[0], to: harness, answer)
        harness.core.bootstrap(with: answer.nodes6.map(\.endpoint), now: harness.now)
        #expect(harness.core.nodes.count(of: .ipv6) == 0)
        #expect(harness.core.requests.values.allSatisfy { $0.receiver.family == .ipv4 })
    }

    @Test func `nodes near us are asked for both families, by a node that has both`() {
        for families in [.both, .ipv4] as [Endpoint.Families] {
            var harness = CoreHarness(families: families)
            harness.core.start(now: harness.now, wallTime: WallTime(seconds: 1_800_000_000))
            harness.befriend(four)
            let wants = harness.wait(.seconds(30)).filter { $0.packet.kind == .request(.find) }.map(\.packet.want)
            #expect(wants.contains(.both) == (families == .both))
            #expect(families == .both || wants.allSatisfy { $0 == nil })
        }
    }

    // MARK: Operations

    @Test func `an operation does not wait for a family without nodes`() {
        let harness = CoreHarness()
        harness.befriend(four)
        _ = harness.core.takeEvents()
        _ = harness.core.put(Value(id: 5), at: key, permanent: false, isIDDrawn: true, now: harness.now)
        var requests = harness.sent()
        while let request = requests.popLast() { requests += answer(request, to: harness) }
        #expect(finished(harness.core.takeEvents()) == [true])
        _ = harness.core.get(InfoHash(hashing: "other"), now: harness.now)
        requests = harness.sent()
        while let request = requests.popLast() { requests += answer(request, to: harness) }
        #expect(finished(harness.core.takeEvents()) == [true])
    }

    @Test func `an operation runs in both families, and is over when both are`() {
        let harness = CoreHarness()
        harness.befriend(four)
        harness.befriend(six)
        _ = harness.core.takeEvents()
        _ = harness.core.put(Value(id: 5), at: key, permanent: false, isIDDrawn: true, now: harness.now)
        let asked = harness.sent()
        #expect(Set(families(asked, .find)) == [.ipv4, .ipv6])
        var events: [NodeEvent] = []
        for request in asked {
            let puts = answer(request, to: harness)
            #expect(families(puts, .put) == [request.receiver.family])
            events += harness.core.takeEvents()
            #expect(finished(events).isEmpty)
            for put in puts { _ = answer(put, to: harness) }
        }
        #expect(finished(harness.core.takeEvents()) == [true])
    }

    @Test func `one family that fails does not make an operation fail`() {
        var harness = CoreHarness()
        harness.befriend(four)
        harness.befriend(six)
        _ = harness.core.takeEvents()
        let operation = harness.core.get(key, now: harness.now)
        for request in harness.sent() where request.receiver.family == .ipv6 { _ = answer(request, to: harness) }
        #expect(finished(harness.core.takeEvents()).isEmpty)
        _ = harness.wait(.seconds(12))
        #expect(finished(harness.core.takeEvents()) == [true])
        #expect(harness.core.operations[operation] == nil)
        #expect(harness.core.status == .connected)
    }

    @Test func `an operation fails when both families do, and at once without any node`() {
        var harness = CoreHarness()
        _ = harness.core.get(key, now: harness.now)
        _ = harness.core.put(Value(id: 5), at: key, permanent: false, isIDDrawn: true, now: harness.now)
        #expect(finished(harness.core.takeEvents()) == [false, false])
        harness.befriend(four)
        harness.befriend(six)
        _ = harness.core.takeEvents()
        _ = harness.core.get(key, now: harness.now)
        _ = harness.wait(.seconds(30))
        #expect(finished(harness.core.takeEvents()) == [false])
    }

    @Test func `a get reports a value that both families find once`() {
        let harness = CoreHarness()
        harness.befriend(four)
        harness.befriend(six)
        _ = harness.core.takeEvents()
        _ = harness.core.get(key, now: harness.now)
        let asked = harness.sent().filter { $0.packet.kind == .request(.get) }
        #expect(asked.count == 2)
        var found = PacketWriter.Answer(token: [1])
        found.values = OutgoingValues([Value(id: 5, data: [1]).encoded])
        for request in asked { _ = answer(request, to: harness, found) }
        let events = harness.core.takeEvents()
        #expect(values(events).map(\.id) == [5])
        #expect(finished(events) == [true])
    }

    @Test func `a listener hears a value once, and of its end when no family has it any more`() {
        let harness = CoreHarness()
        harness.befriend(four)
        harness.befriend(six)
        _ = harness.core.listen(at: key, now: harness.now)
        var sockets: [Endpoint.Family: UInt32] = [:]
        var requests = harness.sent()
        while let request = requests.popLast() {
            if request.packet.kind == .request(.listen) { sockets[request.receiver.family] = request.packet.socket }
            requests += answer(request, to: harness)
        }
        #expect(sockets.count == 2)
        _ = harness.core.takeEvents()
        let value = OutgoingValues([Value(id: 5, data: [1]).encoded])
        for (peer, family) in [(four, Endpoint.Family.ipv4), (six, .ipv6)] {
            let acknowledged = harness.receive(from: peer) {
                $0.update(3, key: key, socket: sockets[family] ?? 0, values: value, token: [1], to: &$1)
            }
            #expect(acknowledged.count == 1)
        }
        #expect(values(harness.core.takeEvents()).map(\.id) == [5])
        func expire(_ peer: CoreHarness.Peer, _ family: Endpoint.Family) -> Bool {
            _ = harness.receive(from: peer) {
                $0.update(4, socket: sockets[family] ?? 0, change: .expired, ids: [5], token: [1], to: &$1)
            }
            return harness.core.takeEvents().contains { if case .expired(_, [5]) = $0 { true } else { false } }
        }
        #expect(!expire(four, .ipv4))
        #expect(expire(six, .ipv6))
    }

    @Test func `another network makes the nodes of both families doubtful`() {
        let harness = CoreHarness()
        harness.befriend(four)
        harness.befriend(six)
        #expect(harness.core.publicAddress(of: .ipv4) != nil)
        harness.core.connectivityChanged(now: harness.now)
        let statistics = harness.core.statistics(now: harness.now)
        #expect(statistics.good == 0 && statistics.ipv4.dubious == 1 && statistics.ipv6.dubious == 1)
        #expect(harness.core.status == .connecting)
        #expect(harness.core.publicAddress(of: .ipv4) == nil)
    }
}
