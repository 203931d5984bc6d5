import Keys
import Runtime
import Testing

@testable import DHT

@Suite struct SnapshotTests {
    private let key = InfoHash(hashing: "key")

    @Test func `the buckets show every node, how it is, and whose bucket it is`() {
        var harness = CoreHarness()
        for number in 1..<20 { harness.befriend(.init(number)) }
        _ = harness.receive(from: .init(99)) { $0.ping(1, to: &$1) }
        harness.now = harness.now + .seconds(30)
        let table = harness.core.routingTable(now: harness.now)
        #expect(table.id == harness.core.id)
        #expect(table.ipv4.count { $0.isOwn } == 1)
        #expect(table.ipv4.count > 1)
        #expect(table.ipv6.count == 1 && table.ipv6[0].nodes.isEmpty && table.ipv6[0].sinceReply == nil)
        for bucket in table.ipv4 {
            #expect(bucket.nodes.allSatisfy { $0.id.commonBits(with: bucket.first) >= bucket.depth })
        }
        let nodes = table.ipv4.flatMap(\.nodes)
        #expect(nodes.count { $0.health == .good } > 10)
        let known = nodes.first { $0.health == .good }
        #expect(known?.sinceReply == .seconds(30) && known?.sinceSeen == .seconds(30))
        #expect(nodes.allSatisfy { $0.health == .good || $0.sinceReply == nil })
    }

    @Test func `searches show their nodes, their operations and what was confirmed`() {
        let harness = CoreHarness()
        let peer = CoreHarness.Peer(1)
        harness.befriend(peer)
        _ = harness.core.listen(at: key, now: harness.now)
        _ = harness.core.put(Value(id: 7), at: key, permanent: true, isIDDrawn: true, now: harness.now)
        let search = harness.core.searchSnapshots(now: harness.now).first { $0.key == key }
        #expect(search?.family == .ipv4)
        #expect(search?.listeners == 1 && search?.permanentPuts == [7] && search?.puts == [] && search?.gets == 0)
        #expect(search?.members.map(\.node.id) == [peer.id])
        #expect(search?.members.first?.isAsked == true)
        #expect(search?.members.first?.confirmedValues == [])
    }

    @Test func `the storage shows values, how long they live, and listeners`() {
        let harness = CoreHarness()
        let peer = CoreHarness.Peer(1)
        let token = harness.token(for: peer)
        harness.put([Value(id: 1, data: [1, 2, 3])], at: key, by: peer, token: token)
        _ = harness.core.put(Value(id: 2), at: key, permanent: true, isIDDrawn: true, now: harness.now)
        _ = harness.receive(from: peer) { $0.listen(1, key: key, socket: 5, query: Query(), token: token, to: &$1) }
        let storage = harness.core.storageSnapshot(now: harness.now)
        #expect(storage.places.map(\.key) == [key])
        #expect(storage.valueCount == 2 && storage.bytes == 3 + Storage.overhead)
        let place = storage.places.first
        #expect(place?.entries.map(\.value.id) == [1, 2])
        #expect(place?.entries.map(\.lifetime) == [.seconds(600), nil])
        #expect(place?.entries.map(\.isOwn) == [false, true])
        #expect(place?.listeners.map(\.node.id) == [peer.id])
        #expect(place?.listeners.map(\.socket) == [5])
        #expect(place?.bytes == 3)
    }
}
