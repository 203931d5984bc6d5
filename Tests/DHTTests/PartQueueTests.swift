import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

@Suite struct PartQueueTests {
    /// Held by reference, so that expectations can call what changes it.
    private final class Subject {
        var queue: PartQueue

        init(receiver: (Int, Int) = (4, 2), total: (Int, Int) = (6, 3)) {
            var limits = PacingLimits()
            limits.receiver = .init(burst: receiver.0, partsPerPause: receiver.1)
            limits.total = .init(burst: total.0, partsPerPause: total.1)
            limits.messages = 10
            limits.receivers = 4
            limits.bytes = 100_000
            queue = PartQueue(limits: limits)
        }

        func take(at milliseconds: Int64) -> [PartQueue.Part] {
            var parts: [PartQueue.Part] = []
            while let part = queue.take(now: Instant(nanoseconds: 1_000_000_000 + milliseconds * 1_000_000)) {
                parts.append(part)
            }
            return parts
        }
    }

    private func key(_ receiver: UInt32, _ transaction: UInt32 = 1) -> PartQueue.Key {
        PartQueue.Key(receiver: Endpoint(ipv4: 0x0A00_0000 + receiver, port: 1), transaction: transaction)
    }

    private func value(parts: Int) -> [UInt8] {
        [UInt8](repeating: 1, count: parts * WireConstants.partSize - 1)
    }

    @Test func `parts leave in order, the last one shorter and marked`() {
        let subject = Subject(receiver: (99, 9), total: (99, 9))
        subject.queue.append([value(parts: 2), value(parts: 1)], for: key(1))
        let parts = subject.take(at: 0)
        #expect(parts.map(\.index) == [0, 0, 1])
        #expect(parts.map(\.range) == [0..<1280, 1280..<2559, 0..<1279])
        #expect(parts.map(\.isLast) == [false, false, true])
        #expect(subject.queue.isEmpty && !subject.queue.contains(key(1)))
    }

    @Test func `receivers take turns, each gets its share, and so do all together`() {
        let subject = Subject()
        for receiver in 1...3 as ClosedRange<UInt32> { subject.queue.append([value(parts: 5)], for: key(receiver)) }
        let helpings = (0..<4 as Range<Int64>).map { subject.take(at: $0).map { $0.key.receiver.low & 0xFF } }
        #expect(helpings == [[1, 2, 3, 1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3]])
        #expect(subject.queue.isEmpty)
    }

    @Test func `one receiver does not use up what others may have`() {
        let subject = Subject()
        subject.queue.append([value(parts: 9)], for: key(1))
        #expect(subject.take(at: 0).count == 4)
        subject.queue.append([value(parts: 1)], for: key(2))
        #expect(subject.take(at: 0).map(\.key) == [key(2)])
        #expect(subject.take(at: 1).count == 2)
        // After a long pause no more than a burst.
        #expect(subject.take(at: 1_000_000).count == 3)
        subject.queue.append([value(parts: 9)], for: key(1))
        #expect(subject.take(at: 2_000_000).count == 4)
    }

    @Test func `what waits is not queued twice, and can be taken back`() {
        let subject = Subject(receiver: (1, 1), total: (2, 2))
        for transaction in 1...3 as ClosedRange<UInt32> {
            subject.queue.append([value(parts: 2)], for: key(1, transaction))
        }
        subject.queue.append([value(parts: 2)], for: key(1, 2))
        _ = subject.take(at: 0)
        subject.queue.remove(key(1, 2))
        subject.queue.remove(key(1, 9))
        #expect(subject.queue.contains(key(1, 1)) && !subject.queue.contains(key(1, 2)))
        let rest = (1...5 as ClosedRange<Int64>).flatMap { subject.take(at: $0) }
        #expect(rest.map(\.key.transaction) == [3, 1, 3])
        #expect(subject.queue.isEmpty)
    }

    @Test func `messages, bytes and receivers are bounded`() {
        let subject = Subject()
        for transaction in 1...20 as ClosedRange<UInt32> { subject.queue.append([[1]], for: key(1, transaction)) }
        #expect(subject.queue.contains(key(1, 10)) && !subject.queue.contains(key(1, 11)))
        let full = Subject()
        full.queue.append([[UInt8](repeating: 0, count: 100_000)], for: key(1))
        full.queue.append([[1]], for: key(2))
        #expect(full.queue.contains(key(1)) && !full.queue.contains(key(2)))
        full.queue.append([], for: key(3))
        #expect(!full.queue.contains(key(3)))
        full.queue.remove(key(1))
        for receiver in 0..<100 as Range<UInt32> {
            full.queue.append([[1]], for: key(receiver))
            #expect(full.take(at: Int64(receiver) * 10).count == 1)
        }
    }

    @Test func `a large put leaves in helpings, waits for its last part, and stops when it is refused`() {
        var harness = CoreHarness()
        let peer = CoreHarness.Peer(1)
        let key = InfoHash(hashing: "key")
        harness.befriend(peer)
        let value = Value(id: 1, data: [UInt8](repeating: 7, count: 60_000))
        _ = harness.core.put(value, at: key, permanent: false, isIDDrawn: true, now: harness.now)
        var sent = harness.sent()
        while let find = sent.first(where: { $0.packet.kind == .request(.find) }) {
            sent = harness.receive(from: peer) {
                $0.answer(find.packet.transaction, .init(token: [1]), to: CoreHarness.own, to: &$1)
            }
        }
        #expect(sent.first?.packet.kind == .request(.put))
        #expect(sent.count { $0.packet.kind == .part } == 32)
        #expect(harness.wait(.milliseconds(1)).count == 8)
        #expect(harness.wait(.milliseconds(1)).count == 7)
        // The second try comes as a whole again.
        let again = harness.wait(.milliseconds(1300))
        #expect(again.map(\.packet.kind) == [.request(.put)] + [Packet.Kind](repeating: .part, count: 47))
        // Of the third try nothing follows once it was refused.
        var third: [CoreHarness.Sent] = []
        while third.isEmpty { third = harness.wait(.milliseconds(1)) }
        #expect(third.count == 33)
        let refused = harness.receive(from: peer) {
            $0.failure(third[0].packet.transaction, .wrongToken(.put), to: &$1)
        }
        #expect(!refused.contains { $0.packet.kind == .part })
        #expect(!harness.wait(.milliseconds(20)).contains { $0.packet.kind == .part })
    }

    @Test func `an answer that is asked for again is not queued again`() {
        var harness = CoreHarness()
        let peer = CoreHarness.Peer(1)
        let key = InfoHash(hashing: "key")
        let value = Value(id: 1, data: [UInt8](repeating: 7, count: 60_000))
        _ = harness.core.put(value, at: key, permanent: false, isIDDrawn: true, now: harness.now)
        _ = harness.sent()
        let counts = (0..<2).map { _ in
            harness.receive(from: peer) { $0.get(5, key: key, query: Query(), to: &$1) }.count {
                $0.packet.kind == .part
            }
        }
        #expect(counts == [32, 0])
        #expect(harness.wait(.milliseconds(100)).count == 15)
    }
}
