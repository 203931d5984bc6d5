import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

@Suite struct SharedListenTests {
    let key = InfoHash(hashing: "key")
    let peer = CoreHarness.Peer(1)

    /// A core with one peer that answers all it is asked, and that remembers what it was asked.
    private final class World {
        var harness: CoreHarness
        let peer: CoreHarness.Peer
        var listens: [CoreHarness.Sent] = []
        var gets = 0
        var heard: [OperationID: [UInt64]] = [:]
        var expired: [OperationID: [UInt64]] = [:]
        var finished: [OperationID] = []

        init(_ peer: CoreHarness.Peer, values: Int = 100) {
            self.peer = peer
            var limits = NodeLimits()
            limits.heardValues = values
            harness = CoreHarness(limits: limits)
            harness.befriend(peer)
            _ = harness.core.takeEvents()
        }

        func serve(_ sent: [CoreHarness.Sent]) {
            var waiting = sent
            while !waiting.isEmpty {
                let request = waiting.removeFirst()
                let transaction = request.packet.transaction
                switch request.packet.kind {
                case .request(.find), .request(.get):
                    if request.packet.kind == .request(.get) { gets += 1 }
                    waiting += harness.receive(from: peer) {
                        $0.answer(transaction, .init(token: [1]), to: CoreHarness.own, to: &$1)
                    }
                case .request(.listen):
                    listens.append(request)
                    waiting += harness.receive(from: peer) {
                        $0.acknowledgement(transaction, to: CoreHarness.own, to: &$1)
                    }
                default: break
                }
            }
            for event in harness.core.takeEvents() {
                switch event {
                case .values(let operation, let values): heard[operation, default: []] += values.map(\.id)
                case .expired(let operation, let ids): expired[operation, default: []] += ids
                case .finished(let operation, _): finished.append(operation)
                default: break
                }
            }
        }

        func listen(at key: InfoHash, _ filters: [ValueFilter] = []) -> OperationID {
            let operation = harness.core.listen(at: key, filters: filters, now: harness.now)
            serve(harness.sent())
            return operation
        }

        func get(_ key: InfoHash, _ filters: [ValueFilter] = []) -> OperationID {
            let operation = harness.core.get(key, filters: filters, now: harness.now)
            serve(harness.sent())
            return operation
        }

        func cancel(_ operation: OperationID) {
            harness.core.cancel(operation, now: harness.now)
            serve(harness.sent())
        }

        func wait(_ duration: Duration) {
            for _ in 0..<Int(duration / .seconds(1)) { serve(harness.wait(.seconds(1))) }
        }

        func push(_ values: [Value]) {
            let outgoing = OutgoingValues(values.map(\.encoded))
            let socket = listens.last?.packet.socket ?? 0
            serve(
                harness.receive(from: peer) {
                    $0.update(77, key: InfoHash(hashing: "key"), socket: socket, values: outgoing, token: [1], to: &$1)
                }
            )
        }

        func expire(_ ids: [UInt64]) {
            let socket = listens.last?.packet.socket ?? 0
            serve(
                harness.receive(from: peer) {
                    $0.update(78, socket: socket, change: .expired, ids: ids, token: [1], to: &$1)
                }
            )
        }
    }

    @Test func `listeners who ask for less share one listening, and get what is known at once`() {
        let world = World(peer)
        let all = world.listen(at: key)
        world.push([Value(id: 1), Value(id: 2, type: 3)])
        let some = world.listen(at: key, [.type(3)])
        let same = world.listen(at: key)
        #expect(world.listens.count == 1)
        #expect(world.heard == [all: [1, 2], some: [2], same: [1, 2]])
        world.push([Value(id: 3), Value(id: 4, type: 3), Value(id: 1)])
        #expect(world.heard == [all: [1, 2, 3, 4], some: [2, 4], same: [1, 2, 3, 4]])
        world.expire([1, 4])
        #expect(world.expired == [all: [1, 4], some: [4], same: [1, 4]])
        world.cancel(all)
        world.push([Value(id: 5)])
        #expect(world.heard[all]?.count == 4 && world.heard[same]?.last == 5)
    }

    @Test func `who asks for more listens anew`() {
        let world = World(peer)
        _ = world.listen(at: key, [.type(3)])
        _ = world.listen(at: key, [.type(4)])
        _ = world.listen(at: key)
        #expect(world.listens.map(\.packet.query) == [Query(filters: [.type(3)]), Query(filters: [.type(4)]), nil])
        // An edition is no matter for other nodes.
        _ = world.listen(at: key, [.sequence(1), .type(3)])
        #expect(world.listens.count == 3)
    }

    @Test func `a listening goes on for a minute after its last listener left`() {
        let world = World(peer)
        world.cancel(world.listen(at: key))
        world.push([Value(id: 1)])
        world.wait(.seconds(50))
        #expect(world.listens.count == 1)
        let again = world.listen(at: key)
        #expect(world.heard[again] == [1])
        // It was not renewed meanwhile, so it is now, over the same socket.
        #expect(Set(world.listens.map(\.packet.socket)).count == 1 && world.listens.count == 2)
        world.wait(.seconds(30))
        #expect(world.listens.count == 3)
        world.cancel(again)
        world.wait(.seconds(62))
        #expect(world.harness.core.sockets.isEmpty)
        #expect(world.listens.count == 3)
        let late = world.listen(at: key)
        #expect(world.heard[late] == nil && world.listens.count == 4)
    }

    @Test func `a get is answered by a listening that has settled, without asking anybody`() {
        let world = World(peer)
        _ = world.listen(at: key)
        world.push([Value(id: 1), Value(id: 2, type: 3)])
        let early = world.get(key)
        #expect(world.gets == 1 && world.finished == [early])
        world.wait(.seconds(5))
        let late = world.get(key, [.type(3)])
        #expect(world.heard[late] == [2] && world.finished == [early, late] && world.gets == 1)
        let rows = world.harness.core.query(key, Query(fields: [.id]), now: world.harness.now)
        let found = world.harness.core.takeEvents().compactMap { event -> [FieldRow]? in
            if case .rows(rows, let rows) = event { rows } else { nil }
        }
        #expect(found == [[FieldRow(id: 1), FieldRow(id: 2)]])
        #expect(world.harness.sent().isEmpty)
        // Another key is another matter.
        _ = world.get(InfoHash(hashing: "other"))
        #expect(world.gets == 2)
    }

    @Test func `a listening whose node was lost, or which could not keep all, does not answer gets`() {
        let world = World(peer, values: 10)
        let listener = world.listen(at: key)
        world.wait(.seconds(5))
        world.push((1...11 as ClosedRange<UInt64>).map { Value(id: $0) })
        _ = world.get(key)
        #expect(world.gets == 1)
        // A new listener cannot join it either.
        _ = world.listen(at: key)
        #expect(world.listens.count >= 2)
        world.cancel(listener)
        let other = World(peer)
        _ = other.listen(at: key)
        other.harness.now = other.harness.now + .seconds(60)
        _ = other.get(key)
        #expect(other.gets == 1)
    }

    @Test func `an edition takes the place of what was heard before`() {
        let world = World(peer)
        let listener = world.listen(at: key)
        let first = Value(id: 1, data: [1], owner: [5], sequence: 1, signature: [1])
        let second = Value(id: 1, data: [2], owner: [5], sequence: 2, signature: [2])
        world.push([first])
        world.push([second])
        #expect(world.heard[listener] == [1, 1])
        let late = world.listen(at: key)
        #expect(world.heard[late] == [1])
        world.expire([1])
        #expect(world.expired == [listener: [1], late: [1]])
    }

    @Test func `lingering listenings make room for other searches`() {
        var limits = NodeLimits()
        limits.searches = 3
        let core = NodeCore(configuration: .init(id: InfoHash(hashing: "core"), limits: limits), randomness: .seeded(1))
        let now = Instant(nanoseconds: 1)
        for number in 0..<10 {
            let operation = core.listen(at: InfoHash(hashing: "\(number)"), now: now)
            core.cancel(operation, now: now)
        }
        #expect(core.takeEvents().allSatisfy { if case .finished = $0 { false } else { true } })
        #expect(core.searches.count <= 3)
    }
}
