import DHT
import Foundation
import Keys
import NIOPosix

/// Round trips: one side puts a number, the other hears it and puts it at another key, where the first side hears it.
struct RoundTrips {
    let nodes: Int
    let flight: Int
    let rounds: Int

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: min(nodes, 4))
        let first = try await DHTNode.unlimited(on: group)
        var all = [first]
        for _ in 1..<nodes {
            all.append(try await DHTNode.unlimited(on: group, bootstrap: ["127.0.0.1:\(await first.boundPort)"]))
        }
        for node in all {
            for await status in await node.statusChanges where status == .connected { break }
        }
        try await Task.sleep(for: .seconds(1))
        let seconds = try await measure(ping: first, pong: all[nodes - 1])
        Program.answer("{\"seconds\": \(seconds), \"rounds\": \(rounds)}")
        exit(0)
    }

    private func measure(ping: DHTNode, pong: DHTNode) async throws -> Double {
        let there = InfoHash(hashing: "there")
        let back = InfoHash(hashing: "back")
        let answers = await pong.listen(at: there)
        let answering = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for await case .value(let heard) in answers {
                    group.addTask { try await pong.put(Value(data: heard.value.data), at: back) }
                }
                try await group.waitForAll()
            }
        }
        defer { answering.cancel() }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            var heard = await ping.listen(at: back).makeAsyncIterator()
            func start(_ number: Int) {
                group.addTask { try await ping.put(Value(data: Array("\(number)".utf8)), at: there) }
            }
            func finish() async {
                while case .some(let event) = await heard.next() {
                    if case .value = event { return }
                }
            }
            // The first one finds the ways.
            start(1 << 20)
            await finish()
            try await Task.sleep(for: .seconds(1))
            let clock = ContinuousClock()
            let begin = clock.now
            for number in 0..<flight { start(number) }
            for number in flight..<rounds + flight {
                await finish()
                if number < rounds { start(number) }
            }
            let elapsed = clock.now - begin
            group.cancelAll()
            return elapsed / .seconds(1)
        }
    }
}
