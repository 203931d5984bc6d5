import Runtime
import Testing

@testable import DHT

@Suite struct ListenCacheTests {
    /// Held by reference, so that expectations can call what changes it.
    private final class Subject {
        private var cache: ListenCache

        init(limit: Int, variants: Int, bytes: Int = 1000) {
            cache = ListenCache(limits: .init(values: limit, variants: variants, bytes: bytes))
        }

        var isComplete: Bool { cache.isComplete }
        func values(at now: Instant) -> [Value] { cache.values(at: now) }

        var isEmpty: Bool { cache.isEmpty }

        func add(_ value: Value, from holder: ListenCache.Holder, now: Instant) -> Bool {
            cache.add(value, lifetime: ValueTypes.standard.lifetime(of: value), from: holder, now: now)
        }

        func refresh(_ id: UInt64, by holder: ListenCache.Holder, now: Instant) {
            cache.refresh(id, by: holder, now: now)
        }

        func remove(_ id: UInt64, from holder: ListenCache.Holder) -> Bool { cache.remove(id, from: holder) != nil }
        func remove(holder: ListenCache.Holder) -> [UInt64] { cache.remove(holder: holder).map(\.id) }
        func expire(at now: Instant) -> [UInt64] { cache.expire(at: now).map(\.id) }
    }

    private let one = ListenCache.Holder.node(NodeIndex(slot: 1))
    private let two = ListenCache.Holder.node(NodeIndex(slot: 2))
    private let now = Instant(nanoseconds: 1)

    @Test func `a value is news once, whoever tells of it`() {
        let cache = Subject(limit: 10, variants: 4)
        #expect(cache.add(Value(id: 1, data: [1]), from: one, now: now))
        #expect(!cache.add(Value(id: 1, data: [1]), from: two, now: now))
        #expect(!cache.add(Value(id: 1, data: [1]), from: .own, now: now))
        #expect(cache.add(Value(id: 1, data: [2]), from: one, now: now))
    }

    @Test func `a value is gone when its last holder is`() {
        let cache = Subject(limit: 10, variants: 4)
        _ = cache.add(Value(id: 1), from: one, now: now)
        _ = cache.add(Value(id: 1), from: two, now: now)
        #expect(!cache.remove(1, from: one))
        #expect(cache.remove(holder: two) == [1])
        #expect(cache.isEmpty)
        #expect(cache.add(Value(id: 1), from: one, now: now))
    }

    @Test func `a value that nobody refreshes expires`() {
        let cache = Subject(limit: 10, variants: 4)
        _ = cache.add(Value(id: 1, type: 5), from: one, now: now)
        _ = cache.add(Value(id: 2, type: 5), from: one, now: now)
        cache.refresh(2, by: one, now: now + .seconds(40))
        cache.refresh(1, by: two, now: now + .seconds(40))
        #expect(cache.expire(at: now + .seconds(70)) == [1])
        #expect(cache.expire(at: now + .seconds(101)) == [2])
    }

    @Test func `values and contents of one id are bounded`() {
        let cache = Subject(limit: 100, variants: 3)
        for id in 1...1000 as ClosedRange<UInt64> { #expect(cache.add(Value(id: id), from: one, now: now)) }
        #expect(cache.remove(holder: one).count == 100)
        for content in 1...20 as ClosedRange<UInt8> {
            _ = cache.add(Value(id: 1, data: [content]), from: one, now: now)
        }
        #expect(!cache.add(Value(id: 1, data: [20]), from: one, now: now))
        #expect(cache.add(Value(id: 1, data: [1]), from: one, now: now))
    }
}

extension ListenCacheTests {
    @Test func `a cache gives what is kept now, also after an edition`() {
        let cache = Subject(limit: 10, variants: 4)
        _ = cache.add(Value(id: 1, data: [1]), from: one, now: now)
        _ = cache.add(Value(id: 2, type: 5, data: [2]), from: one, now: now)
        _ = cache.add(Value(id: 1, data: [1]), from: two, now: now)
        #expect(cache.values(at: now).map(\.data) == [[1], [2]])
        // One node shows a newer edition, the other one later.
        #expect(cache.add(Value(id: 1, data: [3]), from: one, now: now))
        #expect(cache.values(at: now).map(\.data) == [[1], [3], [2]])
        #expect(!cache.add(Value(id: 1, data: [3]), from: two, now: now))
        #expect(cache.values(at: now).map(\.data) == [[3], [2]])
        #expect(cache.values(at: now + .seconds(60)).map(\.data) == [[3]])
        #expect(cache.isComplete)
    }

    @Test func `a cache says when it does not know all`() {
        let many = Subject(limit: 2, variants: 4)
        for id in 1...3 as ClosedRange<UInt64> { _ = many.add(Value(id: id), from: one, now: now) }
        #expect(!many.isComplete)
        let variants = Subject(limit: 2, variants: 1)
        _ = variants.add(Value(id: 1, data: [1]), from: one, now: now)
        _ = variants.add(Value(id: 1, data: [2]), from: one, now: now)
        #expect(variants.isComplete)
        _ = variants.add(Value(id: 1, data: [3]), from: two, now: now)
        #expect(!variants.isComplete)
        let large = Subject(limit: 20, variants: 1, bytes: 1000)
        _ = large.add(Value(id: 1, data: [UInt8](repeating: 1, count: 1000)), from: one, now: now)
        #expect(large.isComplete)
        #expect(large.add(Value(id: 2, data: [1]), from: one, now: now))
        #expect(!large.isComplete)
        // It still is no news twice, and its end is told.
        #expect(!large.add(Value(id: 2, data: [1]), from: two, now: now))
        #expect(large.remove(holder: one) == [1])
        #expect(large.remove(holder: two) == [2])
        // The room is free again.
        #expect(large.add(Value(id: 3, data: [UInt8](repeating: 1, count: 1000)), from: one, now: now))
        #expect(large.values(at: now).count == 1)
    }
}
