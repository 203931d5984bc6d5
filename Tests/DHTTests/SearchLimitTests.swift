import Keys
import Runtime
import Testing

@testable import DHT

@Suite struct SearchLimitTests {
    private func core(searches: Int) -> NodeCore {
        var limits = NodeLimits()
        limits.searches = searches
        let configuration = NodeCore.Configuration(id: InfoHash(hashing: "core"), families: .ipv4, limits: limits)
        return NodeCore(configuration: configuration, randomness: .seeded(1))
    }

    private func key(_ number: Int) -> InfoHash { InfoHash(hashing: "key \(number)") }

    private func finished(_ core: NodeCore) -> [OperationID: Bool] {
        var result: [OperationID: Bool] = [:]
        for event in core.takeEvents() {
            if case .finished(let operation, let succeeded) = event { result[operation] = succeeded }
        }
        return result
    }

    @Test(arguments: [1, 3]) func `at the limit searches that are in use stay, and one more fails`(limit: Int) {
        let core = core(searches: limit)
        let now = Instant(nanoseconds: 1)
        let listens = (0..<limit).map { core.listen(at: key($0), now: now) }
        #expect(finished(core).isEmpty)
        #expect(core.statistics(now: now).searches == limit && core.statistics(now: now).operations == limit)
        for number in limit..<limit + 100 {
            let refused = core.listen(at: key(number), now: now)
            #expect(finished(core) == [refused: false])
        }
        #expect(core.statistics(now: now).searches == limit)
        // The room of one that has ended is taken.
        core.cancel(listens[0], now: now)
        let next = core.listen(at: key(limit), now: now)
        #expect(finished(core)[next] == nil && core.searches.count == limit)
    }

    @Test func `a search that nobody uses is kept for an hour and a bit`() {
        var harness = CoreHarness()
        harness.core.start(now: harness.now, wallTime: WallTime(seconds: 1_800_000_000))
        let get = harness.core.get(key(1), now: harness.now)
        _ = harness.wait(.seconds(61 * 60))
        #expect(harness.core.operations[get] == nil)
        #expect(harness.core.searches(at: key(1)).isEmpty == false)
        _ = harness.wait(.seconds(10 * 60))
        #expect(harness.core.searches(at: key(1)).isEmpty)
    }
}
