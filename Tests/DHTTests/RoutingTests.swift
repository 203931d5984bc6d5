import Keys
import Runtime
import Testing

@testable import DHT

@Suite struct RoutingTests {
    let own = InfoHash(hashing: "own")

    /// A table with nodes that all answered just now.
    private func table(_ count: Int, seed: UInt64, now: Instant = Instant()) -> (RoutingTable, NodeTable) {
        var randomness = Randomness.seeded(seed)
        let nodes = NodeTable(limit: 100_000)
        var table = RoutingTable(own: own)
        for number in 0..<count {
            var node = Node(id: .random(using: &randomness), endpoint: Endpoint(ipv4: UInt32(number + 1), port: 1))
            node.lastSeen = now
            node.lastReply = now
            guard let index = nodes.insert(node) else { continue }
            _ = table.insert(index, evidence: .reply, nodes: nodes, now: now)
        }
        return (table, nodes)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `buckets cover all ids in order and hold at most eight`(seed: UInt64) {
        let (table, nodes) = table(2000, seed: seed)
        #expect(table.buckets[0].first.isZero)
        #expect(table.buckets.count > 5)
        for index in table.buckets.indices {
            let bucket = table.buckets[index]
            #expect(bucket.nodes.count <= 8)
            #expect(bucket.nodes.allSatisfy { table.bucketIndex(of: nodes[$0].id) == index })
            if index > 0 { #expect(table.buckets[index - 1].first < bucket.first) }
        }
        #expect(table.networkSizeEstimate > 500 && table.networkSizeEstimate < 10_000)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `the closest nodes of the own id are found`(seed: UInt64) {
        let (table, nodes) = table(500, seed: seed)
        var all = table.buckets.flatMap(\.nodes).map { nodes[$0].id }
        all.sort { $0.isCloser(to: own, than: $1) }
        let found = table.closest(to: own, count: 8, nodes: nodes, now: Instant())
        #expect(found.map(\.id) == Array(all.prefix(8)))
        let near = nodes.near(own, family: .ipv4, count: 8).map { nodes[$0].id }.sorted {
            $0.isCloser(to: own, than: $1)
        }
        let known = nodes.all(of: .ipv4).map(\.id)
        #expect(near.first == known.min { $0.isCloser(to: own, than: $1) })
    }

    @Test func `a random id of a bucket is in it`() {
        let (table, _) = table(500, seed: 9)
        var randomness = Randomness.seeded(4)
        for bucket in table.buckets.indices {
            for _ in 0..<10 {
                let id = table.randomID(in: bucket, using: &randomness)
                #expect(table.bucketIndex(of: id) == bucket)
            }
        }
    }

    @Test func `an expired node makes room, a doubtful one is asked first`() {
        let nodes = NodeTable(limit: 100)
        var table = RoutingTable(own: InfoHash(high: 0, middle: 0, low: 1))
        func node(_ low: UInt32) -> NodeIndex {
            var node = Node(id: InfoHash(high: .max, middle: 0, low: low), endpoint: Endpoint(ipv4: low, port: 1))
            node.lastSeen = Instant()
            node.lastReply = Instant()
            return nodes.insert(node) ?? NodeIndex(slot: 0)
        }
        let members = (1...9).map { node(UInt32($0)) }
        for member in members {
            let asked = table.insert(member, evidence: .reply, nodes: nodes, now: Instant())
            #expect(asked == nil)
        }
        let place = table.bucketIndex(of: nodes[members[0]].id)
        #expect(table.buckets[place].nodes.count == 8)
        #expect(table.buckets[place].candidate == members[8])
        nodes[members[3]].lastSeen = .longAgo
        let asked = table.insert(node(20), evidence: .packet, nodes: nodes, now: Instant())
        #expect(asked == members[3])
        nodes[members[3]].isExpired = true
        let newcomer = node(21)
        _ = table.insert(newcomer, evidence: .packet, nodes: nodes, now: Instant())
        #expect(table.buckets[place].nodes.contains(newcomer))
        #expect(!table.buckets[place].nodes.contains(members[3]))
    }

    @Test func `the table of nodes is bounded, and sweeping frees what nobody needs`() {
        var limits = NodeLimits()
        limits.nodes = 64
        let harness = CoreHarness(limits: limits)
        for number in 1...1000 { _ = harness.receive(from: .init(number)) { $0.ping(1, to: &$1) } }
        #expect(harness.core.nodes.count <= 64)
        // Even those that are not remembered are answered.
        #expect(harness.receive(from: .init(5000)) { $0.ping(1, to: &$1) }.count == 1)
    }

    @Test func `good, doubtful and expired follow the last answer and the last packet`() {
        var node = Node(id: own, endpoint: Endpoint(ipv4: 1, port: 1))
        let now = Instant()
        #expect(!node.isGood(at: now))
        node.lastReply = now
        node.lastSeen = now
        #expect(node.isGood(at: now + .seconds(599)))
        #expect(!node.isGood(at: now + .seconds(600)))
        node.lastSeen = now + .seconds(7199)
        #expect(node.isGood(at: now + .seconds(7199)))
        #expect(!node.isGood(at: now + .seconds(7201)))
        node.isExpired = true
        #expect(!node.isGood(at: now + .seconds(7199)))
    }
}
