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

        var outcome = Outcome(log: world.log, delivered: world.delivered)
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

    @Test(arguments: [1, 2] as [UInt64]) func `every value is found by everyone in spite of loss and churn`(seed: UInt64) {
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
