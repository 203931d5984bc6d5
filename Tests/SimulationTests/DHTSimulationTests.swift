import Keys
import Runtime
import Testing

@testable import DHT

@Suite(.timeLimit(.minutes(5))) struct DHTSimulationTests {
    /// What a run left behind.
    struct Outcome: Equatable {
        var log: UInt64
        var delivered: Int
        var asked = 0
        var found = 0
        var puts = 0
        var confirmed = 0
    }

    /// A network that grows to a size, lives with churn, and is asked for what was put into it.
    static func run(seed: UInt64, size: Int, values: Int, minutes: Int) -> Outcome {
        let world = DHTWorld(seed: seed)
        var puts: [(index: Int, operation: OperationID)] = []
        var gets: [(index: Int, operation: OperationID, wanted: Value)] = []
        var stored: [(key: InfoHash, value: Value)] = []

        for _ in 0..<size {
            world.join()
            world.run(until: world.now + .milliseconds(100))
        }
        world.run(until: world.now + .seconds(60))

        for number in 0..<values {
            let key = InfoHash.random(using: &world.randomness)
            // Some values are inline, some follow in parts.
            let value = Value(id: UInt64(number + 1), data: world.randomness.bytes(number % 4 == 0 ? 3000 : 100))
            let index = world.randomInhabitant()
            puts.append((index, world.put(value, at: key, by: index)))
            stored.append((key, value))
            world.run(until: world.now + .milliseconds(500))
        }
        world.run(until: world.now + .seconds(20))

        for _ in 0..<minutes {
            for _ in 0..<4 {
                world.kill(world.randomInhabitant())
                world.join()
                world.run(until: world.now + .seconds(15))
            }
            for (key, value) in stored {
                let index = world.randomInhabitant()
                gets.append((index, world.get(key, by: index), value))
            }
        }
        world.run(until: world.now + .seconds(60))

        var outcome = Outcome(log: world.log.hash, delivered: world.delivered)
        for put in puts where world.inhabitants[put.index].isAlive {
            outcome.puts += 1
            if world.inhabitants[put.index].results[put.operation]?.succeeded == true { outcome.confirmed += 1 }
        }
        for get in gets where world.inhabitants[get.index].isAlive {
            outcome.asked += 1
            let values = world.inhabitants[get.index].results[get.operation]?.values ?? []
            if values.contains(get.wanted) { outcome.found += 1 }
        }
        return outcome
    }

    @Test(arguments: [1, 2] as [UInt64]) func `every value is found by everyone in spite of loss and churn`(
        seed: UInt64
    ) {
        let clock = ContinuousClock()
        var outcome = Outcome(log: 0, delivered: 0)
        let time = clock.measure { outcome = Self.run(seed: seed, size: 200, values: 60, minutes: 5) }
        print("seed \(seed): \(outcome) in \(time)")
        #expect(outcome.confirmed == outcome.puts)
        #expect(outcome.found == outcome.asked)
        #expect(outcome.asked > 200)
    }

    @Test func `one seed gives one result`() {
        let first = Self.run(seed: 7, size: 30, values: 10, minutes: 2)
        let second = Self.run(seed: 7, size: 30, values: 10, minutes: 2)
        let other = Self.run(seed: 8, size: 30, values: 10, minutes: 2)
        #expect(first == second)
        #expect(first.log != other.log)
    }
}

@Suite(.timeLimit(.minutes(5))) struct DHTScenarioTests {
    /// A world of some nodes that have found each other.
    private func settled(_ size: Int, seed: UInt64, loss: Double = 0) -> DHTWorld {
        var options = DHTWorld.Options()
        options.loss = loss
        let world = DHTWorld(seed: seed, options: options)
        for _ in 0..<size {
            world.join()
            world.run(until: world.now + .milliseconds(200))
        }
        world.run(until: world.now + .seconds(60))
        return world
    }

    /// How long an operation takes.
    private func duration(
        _ world: DHTWorld,
        _ index: Int,
        _ operation: OperationID,
        limit: Duration = .seconds(70)
    ) -> Duration {
        let start = world.now
        while world.inhabitants[index].results[operation]?.succeeded == nil, world.now - start < limit {
            world.run(until: world.now + .milliseconds(50))
        }
        return world.now - start
    }

    @Test func `an operation does not wait for nodes that just went away`() {
        let world = settled(40, seed: 3)
        let key = InfoHash(hashing: "place")
        let closest = world.inhabitants.indices.sorted {
            world.inhabitants[$0].core.id.isCloser(to: key, than: world.inhabitants[$1].core.id)
        }
        for index in closest.prefix(3) { world.kill(index) }
        let writer = closest[30]
        let put = world.put(Value(id: 1, data: [1]), at: key, by: writer)
        #expect(duration(world, writer, put) < .seconds(4))
        #expect(world.inhabitants[writer].results[put]?.succeeded == true)
        let reader = closest[20]
        let get = world.get(key, by: reader)
        #expect(duration(world, reader, get) < .seconds(4))
        #expect(world.inhabitants[reader].results[get]?.values.map(\.id) == [1])
    }

    @Test func `in a quiet network operations take as long as the way to the key`() {
        let world = settled(100, seed: 4)
        for number in 0..<20 {
            let key = InfoHash(hashing: "\(number)")
            let writer = world.randomInhabitant()
            let put = world.put(Value(id: 1, data: [1]), at: key, by: writer)
            #expect(duration(world, writer, put) < .milliseconds(1500))
            let reader = world.randomInhabitant()
            let get = world.get(key, by: reader)
            #expect(duration(world, reader, get) < .milliseconds(1200))
        }
    }

    @Test func `listeners hear every value once, in spite of loss`() {
        let world = settled(50, seed: 5, loss: 0.05)
        let key = InfoHash(hashing: "room")
        let listeners = (0..<5).map { _ in world.randomInhabitant() }
        let operations = listeners.map { world.listen(at: key, by: $0) }
        world.run(until: world.now + .seconds(15))
        for id in 1...20 as ClosedRange<UInt64> {
            _ = world.put(
                Value(id: id, data: world.randomness.bytes(id % 3 == 0 ? 2500 : 50)),
                at: key,
                by: world.randomInhabitant()
            )
            world.run(until: world.now + .seconds(2))
        }
        world.run(until: world.now + .seconds(30))
        for (index, operation) in zip(listeners, operations) {
            let heard = world.inhabitants[index].heard[operation]?.map(\.value.id).sorted() ?? []
            #expect(heard == Array(1...20))
        }
    }

    @Test func `a permanent value outlives its type's lifetime, its first keepers, and a passing one does not`() {
        let world = settled(60, seed: 6, loss: 0.02)
        let writer = world.randomInhabitant()
        let key = InfoHash(hashing: "kept")
        _ = world.put(Value(id: 1, data: [1]), at: key, by: writer, permanent: true)
        _ = world.put(Value(id: 2, data: [2]), at: key, by: world.randomInhabitant())
        for _ in 0..<40 {
            let victim = world.randomInhabitant()
            if victim != writer { world.kill(victim) }
            world.join()
            world.run(until: world.now + .seconds(40))
        }
        let reader = world.inhabitants.count - 1
        let get = world.get(key, by: reader)
        _ = duration(world, reader, get)
        #expect(world.inhabitants[reader].results[get]?.values.map(\.id) == [1])
    }

    @Test func `large values get through in spite of heavy loss`() {
        let world = settled(20, seed: 10, loss: 0.15)
        var found = 0
        for number in 0..<10 {
            let key = InfoHash(hashing: "large \(number)")
            let writer = world.randomInhabitant()
            let put = world.put(Value(id: 1, data: world.randomness.bytes(20_000)), at: key, by: writer)
            _ = duration(world, writer, put)
            #expect(world.inhabitants[writer].results[put]?.succeeded == true)
            let reader = world.randomInhabitant()
            let get = world.get(key, by: reader)
            _ = duration(world, reader, get)
            if world.inhabitants[reader].results[get]?.values.isEmpty == false { found += 1 }
            world.run(until: world.now + .seconds(10))
        }
        #expect(found == 10)
    }

    @Test func `a node that lost everybody finds back without a bootstrap node`() {
        let world = settled(30, seed: 8)
        let lonely = 17
        world.isolate(lonely)
        let get = world.get(InfoHash(hashing: "x"), by: lonely)
        world.run(until: world.now + .seconds(1800))
        #expect(world.inhabitants[lonely].core.status == .disconnected)
        #expect(world.inhabitants[lonely].results[get]?.succeeded == false)
        world.rejoin(lonely, canBootstrap: false)
        world.run(until: world.now + .seconds(700))
        #expect(world.inhabitants[lonely].core.status == .connected)
    }

    @Test func `after a change of network a node is back at once`() {
        let world = settled(30, seed: 9)
        world.changeNetwork(of: 4)
        let get = world.get(InfoHash(hashing: "x"), by: 4)
        #expect(duration(world, 4, get) < .seconds(3))
        #expect(world.inhabitants[4].core.status == .connected)
    }
}
