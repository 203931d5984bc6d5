import Runtime
import Testing

@Suite struct DeadlineQueueTests {
    @Test func `keys come out in the order of their deadlines`() {
        var queue = DeadlineQueue<String>()
        queue.insert("late", at: Instant(nanoseconds: 30))
        queue.insert("early", at: Instant(nanoseconds: 10))
        queue.insert("middle", at: Instant(nanoseconds: 20))
        #expect(queue.next == Instant(nanoseconds: 10))
        #expect(drain(&queue, at: .distantFuture) == ["early", "middle", "late"])
        #expect(queue.next == nil)
    }

    @Test func `equal deadlines keep the order of insertion`() {
        var queue = DeadlineQueue<Int>()
        for key in 0..<100 { queue.insert(key, at: Instant(nanoseconds: 5)) }
        #expect(drain(&queue, at: Instant(nanoseconds: 5)) == Array(0..<100))
    }

    @Test func `nothing comes out before it is due`() {
        var queue = DeadlineQueue<Int>()
        queue.insert(1, at: Instant(nanoseconds: 10))
        let early = queue.popDue(at: Instant(nanoseconds: 9))
        let due = queue.popDue(at: Instant(nanoseconds: 10))
        #expect(early == nil)
        #expect(due == 1)
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>) func `any interleaving is sorted`(seed: UInt64) {
        var random = Randomness.seeded(seed)
        var queue = DeadlineQueue<Int64>()
        var waiting: [Int64] = []
        for _ in 0..<2_000 {
            if Bool.random(using: &random) || waiting.isEmpty {
                let deadline = Int64.random(in: 0..<500, using: &random)
                queue.insert(deadline, at: Instant(nanoseconds: deadline))
                waiting.append(deadline)
            } else {
                let now = Int64.random(in: 0..<500, using: &random)
                let popped = queue.popDue(at: Instant(nanoseconds: now))
                let expected = waiting.filter { $0 <= now }.min()
                #expect(popped == expected, "seed \(seed)")
                if let expected, let index = waiting.firstIndex(of: expected) { waiting.remove(at: index) }
            }
            #expect(queue.count == waiting.count, "seed \(seed)")
        }
        #expect(drain(&queue, at: .distantFuture) == waiting.sorted(), "seed \(seed)")
    }
}

private func drain<Key>(_ queue: inout DeadlineQueue<Key>, at now: Instant) -> [Key] {
    var keys: [Key] = []
    while let key = queue.popDue(at: now) { keys.append(key) }
    return keys
}
