import NIOPosix
import Testing

@testable import NameServer

/// What waits for the thread of a store.
@Suite struct JobQueueTests {
    @Test func `a thread that gathers goes on once all have come`() async throws {
        let queue = JobQueue<Int>(limit: 10)
        async let gathered = NIOThreadPool.singleton.runIfActive {
            queue.gather(3, within: .seconds(3_600), upTo: 10)
        }
        let refusals = (1...3).compactMap { queue.push($0) }
        #expect(refusals.isEmpty)
        let jobs = try await gathered
        #expect(jobs == [1, 2, 3])
    }

    @Test func `a thread that gathers takes what there is after its time`() async throws {
        let queue = JobQueue<Int>(limit: 10)
        #expect(queue.push(1) == nil)
        let jobs = try await NIOThreadPool.singleton.runIfActive {
            queue.gather(3, within: .milliseconds(1), upTo: 10)
        }
        #expect(jobs == [1])
    }

    @Test func `a thread that gathers does not wait for more than it may take, nor for a closed queue`() async throws {
        let queue = JobQueue<Int>(limit: 10)
        let refusals = (1...3).compactMap { queue.push($0) }
        #expect(refusals.isEmpty)
        let first = try await NIOThreadPool.singleton.runIfActive {
            queue.gather(10, within: .seconds(3_600), upTo: 2)
        }
        #expect(first == [1, 2])
        async let rest = NIOThreadPool.singleton.runIfActive {
            queue.gather(10, within: .seconds(3_600), upTo: 10)
        }
        queue.close()
        let last = try await rest
        #expect(last == [3])
        #expect(queue.push(4) == .closed)
    }
}
