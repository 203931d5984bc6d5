import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

@Suite struct StorageMaintenanceTests {
    /// Our id shares no bit with the key.
    private let key = InfoHash(high: 0, middle: 1, low: 0)
    private let own = InfoHash(high: .max, middle: .max, low: .max)

    private func harness(maintains: Bool) -> CoreHarness {
        CoreHarness(id: own, maintainsStorage: maintains)
    }

    /// Answers whatever the core asks for some time, and keeps the nodes good.
    ///
    /// - Returns: the requests.
    private func serve(_ harness: inout CoreHarness, for duration: Duration, peers: Int) -> [CoreHarness.Sent] {
        var seen: [CoreHarness.Sent] = []
        let end = harness.now + duration
        while harness.now < end {
            var requests = harness.wait(.seconds(5))
            while let request = requests.popLast() {
                guard case .request(let method) = request.packet.kind else { continue }
                seen.append(request)
                let peer = CoreHarness.Peer(Int(request.receiver.low) - 0x0A00_0000)
                requests += harness.receive(from: peer) {
                    switch method {
                    case .put:
                        $0.confirmation(request.packet.transaction, of: 5, to: CoreHarness.own, to: &$1)
                    case .find, .get:
                        $0.answer(request.packet.transaction, .init(token: [1]), to: CoreHarness.own, to: &$1)
                    default:
                        $0.acknowledgement(request.packet.transaction, to: CoreHarness.own, to: &$1)
                    }
                }
            }
            for number in 2..<(2 + peers) { _ = harness.receive(from: .init(number)) { $0.ping(1, to: &$1) } }
        }
        return seen
    }

    @Test(arguments: [true, false]) func `values are handed on to nodes that came closer, and then forgotten`(
        maintains: Bool
    ) {
        var harness = harness(maintains: maintains)
        harness.core.start(now: harness.now, wallTime: WallTime(seconds: 1_800_000_000))
        let writer = CoreHarness.Peer(1)
        harness.put([Value(id: 5, type: 8, data: [1])], at: key, by: writer)
        harness.put([Value(id: 6, type: 4, data: [2])], at: key, by: writer)
        #expect(harness.core.storage.values(at: key).map(\.value.id) == [6])
        // Each of them is closer to the key.
        for number in 2..<30 { harness.befriend(.init(number)) }
        let asked = serve(&harness, for: .seconds(700), peers: 28)
        let puts = asked.filter { $0.packet.kind == .request(.put) }
        #expect(puts.isEmpty == !maintains)
        #expect(puts.allSatisfy { $0.packet.key == key })
        #expect(puts.allSatisfy { $0.packet.created == 1_800_000_000 })
        #expect(harness.core.storage.valueCount == (maintains ? 0 : 1))
    }

    @Test func `what is ours, or short-lived, or near us stays`() {
        var harness = harness(maintains: true)
        harness.core.start(now: harness.now, wallTime: WallTime(seconds: 1_800_000_000))
        let near = InfoHash(high: .max, middle: .max, low: 1)
        let writer = CoreHarness.Peer(1)
        harness.put([Value(id: 6, type: 4, data: [2])], at: near, by: writer)
        _ = harness.core.put(Value(id: 7, type: 4), at: key, permanent: false, isIDDrawn: true, now: harness.now)
        for number in 2..<30 { harness.befriend(.init(number)) }
        _ = serve(&harness, for: .seconds(700), peers: 28)
        #expect(harness.core.storage.values(at: near).map(\.value.id) == [6])
        #expect(harness.core.storage.values(at: key).map(\.value.id) == [7])
    }
}
