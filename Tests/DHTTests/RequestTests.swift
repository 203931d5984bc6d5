import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

@Suite struct RequestTests {
    let key = InfoHash(hashing: "key")
    let peer = CoreHarness.Peer(1)

    @Test func `a request is sent again when it is late and then with growing delays, until the node is gone`() {
        var harness = CoreHarness()
        harness.befriend(peer)
        let start = harness.now
        _ = harness.core.get(key, now: harness.now)
        #expect(harness.sent().count == 1)
        var times: [Duration] = []
        while harness.now - start < .seconds(12) {
            if !harness.wait(.milliseconds(50)).isEmpty { times.append(harness.now - start) }
        }
        #expect(times.count == 3)
        #expect(times[0] == Timing.leastPatience)
        #expect((Duration.milliseconds(1000)...(.milliseconds(1300))).contains(times[1]))
        #expect((Duration.milliseconds(3000)...(.milliseconds(4100))).contains(times[2]))
        #expect(harness.core.requests.isEmpty)
        #expect(harness.core.status == .disconnected)
        let finished = harness.core.takeEvents().contains {
            if case .finished(_, succeeded: false) = $0 { true } else { false }
        }
        #expect(finished)
    }

    @Test func `an answer from another node or address is not taken`() {
        let harness = CoreHarness()
        harness.befriend(peer)
        _ = harness.core.get(key, now: harness.now)
        let request = harness.sent()[0]
        var answer = PacketWriter.Answer(token: [1])
        answer.values = OutgoingValues([Value(id: 1).encoded])
        let forged = CoreHarness.Peer(2)
        _ = harness.receive(from: forged) {
            $0.answer(request.packet.transaction, answer, to: CoreHarness.own, to: &$1)
        }
        #expect(harness.core.requests[request.packet.transaction] != nil)
        _ = harness.receive(from: peer) { $0.answer(request.packet.transaction, answer, to: CoreHarness.own, to: &$1) }
        #expect(harness.core.requests[request.packet.transaction] == nil)
    }

    @Test func `who answers a search without a token is not heard any more`() {
        let harness = CoreHarness()
        harness.befriend(peer)
        _ = harness.core.get(key, now: harness.now)
        let request = harness.sent()[0]
        _ = harness.receive(from: peer) { $0.acknowledgement(request.packet.transaction, to: CoreHarness.own, to: &$1) }
        #expect(harness.receive(from: peer) { $0.ping(1, to: &$1) }.isEmpty)
    }

    @Test func `a get answers the values of the closest nodes, each once`() {
        let harness = CoreHarness()
        for number in 1...3 { harness.befriend(.init(number)) }
        let operation = harness.core.get(key, now: harness.now)
        var answer = PacketWriter.Answer(token: [1])
        answer.values = OutgoingValues([Value(id: 1, data: [1]).encoded])
        var queue = harness.sent()
        while !queue.isEmpty {
            let request = queue.removeFirst()
            guard let peer = (1...3).map({ CoreHarness.Peer($0) }).first(where: { $0.endpoint == request.receiver })
            else { continue }
            queue += harness.receive(from: peer) {
                $0.answer(request.packet.transaction, answer, to: CoreHarness.own, to: &$1)
            }
        }
        var values: [UInt64] = []
        var results: [Bool] = []
        for event in harness.core.takeEvents() {
            if case .values(operation, let found) = event { values += found.map(\.id) }
            if case .finished(operation, let succeeded) = event { results.append(succeeded) }
        }
        #expect(values == [1])
        #expect(results == [true])
    }

    @Test func `without any node a get answers what is here, and a put fails`() {
        let harness = CoreHarness()
        let put = harness.core.put(Value(id: 1), at: key, permanent: false, isIDDrawn: true, now: harness.now)
        let get = harness.core.get(key, now: harness.now)
        var results: [OperationID: Bool] = [:]
        var values = 0
        for event in harness.core.takeEvents() {
            if case .finished(let operation, let succeeded) = event { results[operation] = succeeded }
            if case .values(get, let found) = event { values += found.count }
        }
        #expect(results == [put: false, get: false])
        #expect(values == 1)
    }

    @Test func `the same answer twice has one effect`() {
        let harness = CoreHarness()
        harness.befriend(peer)
        let operation = harness.core.put(Value(id: 4), at: key, permanent: false, isIDDrawn: true, now: harness.now)
        var queue = harness.sent()
        var finished = 0
        while !queue.isEmpty {
            let request = queue.removeFirst()
            for _ in 0..<2 {
                queue += harness.receive(from: peer) { writer, output in
                    switch request.packet.kind {
                    case .request(.put):
                        writer.confirmation(request.packet.transaction, of: 4, to: CoreHarness.own, to: &output)
                    default:
                        writer.answer(request.packet.transaction, .init(token: [1]), to: CoreHarness.own, to: &output)
                    }
                }
            }
        }
        for event in harness.core.takeEvents() {
            if case .finished(operation, succeeded: true) = event { finished += 1 }
        }
        #expect(finished == 1)
    }

    @Test func `most votes decide where we are seen`() {
        var votes = AddressVotes(limit: 3)
        let (first, second) = (Endpoint(ipv4: 1, port: 0), Endpoint(ipv4: 2, port: 0))
        votes.vote(for: first)
        votes.vote(for: second)
        #expect(votes.winner == first)
        votes.vote(for: second)
        #expect(votes.winner == second)
        for address in 10..<20 as Range<UInt32> { votes.vote(for: Endpoint(ipv4: address, port: 0)) }
        #expect(votes.winner == second)
    }
}
