import Glibc
import Keys
import NIOCore
import NIOPosix

@testable import DHT

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
        let heardThere = await pong.listen(at: there)
        let answering = Task(executorPreference: LoopExecutor(pong.eventLoop)) {
            await Side(node: pong).answer(heardThere, at: back)
        }
        defer { answering.cancel() }
        let heardBack = await ping.listen(at: back)
        return try await Task(executorPreference: LoopExecutor(ping.eventLoop)) {
            try await Side(node: ping).ask(rounds, flight, at: there, answers: heardBack)
        }
        .value
    }
}

/// Runs what has no place of its own, such as waiting for an element of a stream, where a node lives.
private final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// One end of the trips, which lives where its node does, as the callbacks of the other implementation do.
private actor Side {
    private let node: DHTNode

    nonisolated var unownedExecutor: UnownedSerialExecutor { node.unownedExecutor }

    init(node: DHTNode) {
        self.node = node
    }

    /// Puts without waiting for the confirmation.
    private func put(_ data: [UInt8], at key: InfoHash) {
        Task { try await node.put(Value(data: data), at: key) }
    }

    func answer(_ listener: DHTListener, at key: InfoHash) async {
        for await case .value(let heard) in listener { put(heard.value.data, at: key) }
    }

    /// How many seconds the trips take.
    func ask(_ rounds: Int, _ flight: Int, at key: InfoHash, answers: DHTListener) async throws -> Double {
        let clock = ContinuousClock()
        var begin = clock.now
        var finished = -1
        // The first one finds the ways.
        put(Array("first".utf8), at: key)
        for await case .value in answers {
            finished += 1
            if finished == 0 {
                try await Task.sleep(for: .seconds(1))
                begin = clock.now
                for number in 0..<flight { put(Array("\(number)".utf8), at: key) }
            } else if finished == rounds {
                break
            } else if finished + flight <= rounds {
                put(Array("\(finished + flight)".utf8), at: key)
            }
        }
        return (clock.now - begin) / .seconds(1)
    }
}
