import Keys
import Runtime

@testable import DHT

/// A network of nodes on a virtual clock: every run of a seed is the same.
final class DHTWorld {
    struct Options {
        var latency = Duration.milliseconds(10)...Duration.milliseconds(120)
        /// The share of datagrams that get lost, from 0 to 1.
        var loss = 0.05
        var limits = NodeLimits()
    }

    /// What came out of a get.
    struct Result {
        var values: [Value] = []
        var succeeded: Bool?
    }

    final class Inhabitant {
        let core: NodeCore
        let endpoint: Endpoint
        var isAlive = true
        /// Its datagrams get lost, both ways.
        var isIsolated = false
        var canBootstrap = true
        var wake = Instant.distantFuture
        var results: [OperationID: Result] = [:]
        var heard: [OperationID: [Value]] = [:]

        init(core: NodeCore, endpoint: Endpoint) {
            self.core = core
            self.endpoint = endpoint
        }
    }

    private enum Event {
        case deliver([UInt8], from: Endpoint, to: Int)
        case wake(Int)
        case action((DHTWorld) -> Void)
    }

    private let options: Options
    private var queue = DeadlineQueue<Int>()
    private var pending: [Int: Event] = [:]
    private var nextEvent = 0
    private(set) var now = Instant()
    var randomness: Randomness
    private(set) var inhabitants: [Inhabitant] = []
    private(set) var delivered = 0
    /// Grows with every datagram and every result; equal for equal runs.
    private(set) var log: UInt64 = 0xCBF2_9CE4_8422_2325

    init(seed: UInt64, options: Options = Options()) {
        self.options = options
        randomness = .seeded(seed)
    }

    var alive: [Int] { inhabitants.indices.filter { inhabitants[$0].isAlive } }

    // MARK: People

    /// Brings a new node up; it starts from some that are alive.
    @discardableResult
    func join() -> Int {
        let index = inhabitants.count
        let endpoint = Endpoint(ipv4: 0x0A00_0001 + UInt32(index), port: 4222)
        let core = NodeCore(
            configuration: .init(id: .random(using: &randomness), limits: options.limits),
            randomness: .seeded(randomness.next())
        )
        inhabitants.append(Inhabitant(core: core, endpoint: endpoint))
        core.start(now: now, wallTime: WallTime(seconds: 1_800_000_000 + now.nanoseconds / 1_000_000_000))
        settle(index)
        return index
    }

    func kill(_ index: Int) {
        inhabitants[index].isAlive = false
    }

    func isolate(_ index: Int) {
        inhabitants[index].isIsolated = true
        inhabitants[index].canBootstrap = false
    }

    func rejoin(_ index: Int, canBootstrap: Bool) {
        inhabitants[index].isIsolated = false
        inhabitants[index].canBootstrap = canBootstrap
    }

    func changeNetwork(of index: Int) {
        inhabitants[index].core.connectivityChanged(now: now)
        settle(index)
    }

    func randomInhabitant() -> Int {
        let alive = alive
        return alive[Int.random(in: 0..<alive.count, using: &randomness)]
    }

    // MARK: Work

    func put(_ value: Value, at key: InfoHash, by index: Int, permanent: Bool = false) -> OperationID {
        let operation = inhabitants[index].core.put(value, at: key, permanent: permanent, isIDDrawn: true, now: now)
        inhabitants[index].results[operation] = Result()
        settle(index)
        return operation
    }

    func get(_ key: InfoHash, by index: Int) -> OperationID {
        let operation = inhabitants[index].core.get(key, now: now)
        inhabitants[index].results[operation] = Result()
        settle(index)
        return operation
    }

    func listen(at key: InfoHash, by index: Int) -> OperationID {
        let operation = inhabitants[index].core.listen(at: key, now: now)
        inhabitants[index].heard[operation] = []
        settle(index)
        return operation
    }

    func at(_ time: Instant, _ action: @escaping (DHTWorld) -> Void) {
        schedule(.action(action), at: time)
    }

    /// Lets time pass.
    func run(until end: Instant) {
        while let next = queue.next, next <= end {
            now = max(next, now)
            guard let number = queue.popDue(at: now), let event = pending.removeValue(forKey: number) else { continue }
            perform(event)
        }
        now = end
    }

    private func perform(_ event: Event) {
        switch event {
        case .action(let action):
            action(self)
        case .wake(let index):
            guard inhabitants[index].isAlive, inhabitants[index].wake <= now else { return }
            inhabitants[index].wake = .distantFuture
            inhabitants[index].core.timer(now: now)
            settle(index)
        case .deliver(let bytes, let sender, let index):
            guard inhabitants[index].isAlive, !inhabitants[index].isIsolated else { return }
            delivered += 1
            note(UInt64(bitPattern: now.nanoseconds))
            note(sender.low << 32 | UInt64(index))
            note(bytes)
            inhabitants[index].core.receive(bytes.span.bytes, from: sender, now: now)
            settle(index)
        }
    }

    private func settle(_ index: Int) {
        let inhabitant = inhabitants[index]
        repeat {
            send(from: inhabitant)
            for event in inhabitant.core.takeEvents() { handle(event, of: inhabitant) }
        } while !inhabitant.core.outbox.isEmpty
        if let next = inhabitant.core.nextDeadline, next < inhabitant.wake {
            inhabitant.wake = next
            schedule(.wake(index), at: next)
        }
    }

    private func send(from inhabitant: Inhabitant) {
        guard !inhabitant.isIsolated else { return inhabitant.core.outbox.removeAll() }
        for datagram in inhabitant.core.outbox.datagrams {
            let target = Int(datagram.receiver.low) - 0x0A00_0001
            guard inhabitants.indices.contains(target) else { continue }
            guard Double.random(in: 0..<1, using: &randomness) >= options.loss else { continue }
            let bytes = Array(inhabitant.core.outbox.bytes(of: datagram))
            let delay = randomness.duration(in: options.latency)
            schedule(.deliver(bytes, from: inhabitant.endpoint, to: target), at: now + delay)
        }
        inhabitant.core.outbox.removeAll()
    }

    private func handle(_ event: NodeEvent, of inhabitant: Inhabitant) {
        switch event {
        case .values(let operation, let values):
            if inhabitant.heard[operation] != nil {
                inhabitant.heard[operation]? += values
            } else {
                inhabitant.results[operation]?.values += values
            }
            note(operation.number)
        case .finished(let operation, let succeeded):
            inhabitant.results[operation]?.succeeded = succeeded
            note(operation.number << 1 | (succeeded ? 1 : 0))
        case .bootstrapDue:
            let known = inhabitant.canBootstrap ? alive.filter { inhabitants[$0] !== inhabitant } : []
            let chosen =
                known.isEmpty ? [] : (0..<2).map { _ in known[Int.random(in: 0..<known.count, using: &randomness)] }
            inhabitant.core.bootstrap(with: chosen.map { inhabitants[$0].endpoint }, now: now)
        case .check(let number, let check):
            inhabitant.core.finishCheck(number, isPassed: check.isPassed, now: now)
        case .expired, .rows, .statusChanged, .publicAddressChanged:
            break
        }
    }

    private func schedule(_ event: Event, at time: Instant) {
        pending[nextEvent] = event
        queue.insert(nextEvent, at: time)
        nextEvent += 1
    }

    private func note(_ word: UInt64) {
        log = (log ^ word) &* 0x0000_0100_0000_01B3
    }

    private func note(_ bytes: [UInt8]) {
        let span = bytes.span.bytes
        var offset = 0
        while offset + 8 <= bytes.count {
            note(span.word(at: offset, as: UInt64.self))
            offset += 8
        }
        note(UInt64(bytes.count))
    }
}
