import Keys
import Runtime
import Testing

@testable import DHT

/// Networks of nodes with IPv4 alone, IPv6 alone, and both.
@Suite(.timeLimit(.minutes(5))) struct DualStackSimulationTests {
    private static let kinds: [Endpoint.Families] = [.both, .ipv4, .ipv6]

    private func settled(_ size: Int, seed: UInt64, loss: Double = 0) -> DHTWorld {
        var options = DHTWorld.Options()
        options.loss = loss
        let world = DHTWorld(seed: seed, options: options)
        for index in 0..<size {
            world.join(Self.kinds[index % 3])
            world.run(until: world.now + .milliseconds(200))
        }
        world.run(until: world.now + .seconds(90))
        return world
    }

    @Test func `what one family stores the other finds, in spite of loss and churn`() {
        let world = settled(90, seed: 21, loss: 0.05)
        var stored: [(key: InfoHash, value: Value)] = []
        for number in 0..<30 {
            let key = InfoHash.random(using: &world.randomness)
            let value = Value(id: UInt64(number + 1), data: world.randomness.bytes(number % 4 == 0 ? 3000 : 100))
            _ = world.put(value, at: key, by: world.randomInhabitant())
            stored.append((key, value))
            world.run(until: world.now + .milliseconds(500))
        }
        world.run(until: world.now + .seconds(10))
        var gets: [(index: Int, operation: OperationID, wanted: Value)] = []
        for round in 0..<9 {
            world.kill(world.randomInhabitant())
            world.join(Self.kinds[round % 3])
            world.run(until: world.now + .seconds(15))
            for (key, value) in stored {
                let index = world.randomInhabitant()
                gets.append((index, world.get(key, by: index), value))
            }
        }
        world.run(until: world.now + .seconds(60))
        var asked = 0
        var found = 0
        for get in gets where world.inhabitants[get.index].isAlive {
            asked += 1
            if world.inhabitants[get.index].results[get.operation]?.values.contains(get.wanted) == true { found += 1 }
        }
        #expect(asked > 200)
        // Where no node with both families is among the closest of both, one family's values stay its own.
        #expect(Double(found) >= Double(asked) * 0.98)
    }

    @Test func `nodes with both families get to know both, and the others one`() {
        let world = settled(60, seed: 22)
        for inhabitant in world.inhabitants {
            let statistics = inhabitant.core.statistics(now: world.now)
            for family in Endpoint.Family.all {
                let numbers = family == .ipv4 ? statistics.ipv4 : statistics.ipv6
                #expect(inhabitant.families.includes(family) ? numbers.good > 10 : numbers.known == 0)
            }
            #expect(inhabitant.core.status == .connected)
        }
    }

    @Test func `listeners of each kind hear each value once from writers of each kind`() {
        let world = settled(45, seed: 23)
        let key = InfoHash(hashing: "room")
        let operations = (0..<6).map { world.listen(at: key, by: $0) }
        world.run(until: world.now + .seconds(15))
        for id in 1...12 as ClosedRange<UInt64> {
            _ = world.put(Value(id: id, data: world.randomness.bytes(50)), at: key, by: 10 + Int(id))
            world.run(until: world.now + .seconds(2))
        }
        world.run(until: world.now + .seconds(20))
        for (index, operation) in operations.enumerated() {
            #expect(world.inhabitants[index].heard[operation]?.map(\.value.id).sorted() == Array(1...12))
        }
    }

    @Test func `a family whose nodes are all gone does not hold up the other`() {
        let world = settled(30, seed: 24)
        for index in world.inhabitants.indices where world.inhabitants[index].families == .ipv6 { world.kill(index) }
        // The IPv6 of those with both is gone too.
        world.cut(.ipv6)
        let get = world.get(InfoHash(hashing: "nothing"), by: 0)
        let put = world.put(Value(id: 1, data: [1]), at: InfoHash(hashing: "something"), by: 0)
        // As long as its nodes seem to be there, they are waited for.
        world.run(until: world.now + .seconds(25))
        #expect(world.inhabitants[0].results[get]?.succeeded == true)
        #expect(world.inhabitants[0].results[put]?.succeeded == true)
        world.run(until: world.now + .seconds(1200))
        #expect(world.inhabitants[0].core.statistics(now: world.now).ipv6.status != .connected)
        let later = world.get(InfoHash(hashing: "something else"), by: 0)
        world.run(until: world.now + .seconds(4))
        #expect(world.inhabitants[0].results[later]?.succeeded == true)
    }

    @Test func `one seed gives one result`() {
        func log() -> EventLog {
            let world = settled(24, seed: 25, loss: 0.05)
            _ = world.put(Value(id: 1, data: [1]), at: InfoHash(hashing: "key"), by: 3, permanent: true)
            _ = world.listen(at: InfoHash(hashing: "key"), by: 5)
            world.run(until: world.now + .seconds(120))
            return world.log
        }
        #expect(log() == log())
    }
}
