import Keys
import Runtime

@testable import DHT

/// A network of nodes on a virtual clock: every run of a seed is the same.
final class DHTWorld {
    struct Options {
        /// From one node to another.
        var latency = Duration.milliseconds(10)...Duration.milliseconds(120)
        /// The share of datagrams that get lost, from 0 to 1.
        var loss = 0.05
        var limits = NodeLimits()
        /// The families of the addresses that a node starts from.
        var bootstrapFamilies: (Int) -> Endpoint.Families = { _ in .both }
    }

    /// What came out of a get or a put.
    struct Result {
        let began: Instant
        var values: [Value] = []
        var firstValue: Instant?
        var finished: Instant?
        var succeeded: Bool?
    }

    /// A value that a listener heard of.
    struct Heard {
        let value: Value
        let time: Instant
    }

    final class Inhabitant {
        fileprivate(set) var core: NodeCore
        /// Those that it has addresses of.
        let families: Endpoint.Families
        private let number: UInt32
        fileprivate(set) var isAlive = true
        /// Its datagrams get lost, both ways.
        fileprivate(set) var isIsolated = false
        fileprivate var canBootstrap = true
        /// Where it stands among those that are alive.
        fileprivate var place = 0
        /// In a divided world only those of one side hear each other.
        fileprivate var side = 0
        var results: [OperationID: Result] = [:]
        var heard: [OperationID: [Heard]] = [:]

        init(core: NodeCore, families: Endpoint.Families, number: Int) {
            self.core = core
            self.families = families
            self.number = UInt32(number)
        }

        /// Addresses end with the number, and each node is in an IPv6 network of its own.
        func endpoint(_ family: Endpoint.Family) -> Endpoint {
            let low = DHTWorld.firstAddress + number
            return switch family {
            case .ipv4: Endpoint(ipv4: low, port: 4222)
            case .ipv6: Endpoint(ipv6: 0x2001_0DB8_0000_0000 | UInt64(number), UInt64(low), port: 4222)
            }
        }
    }

    fileprivate static let firstAddress: UInt32 = 0x0A00_0001

    private let options: Options
    private let lossThreshold: UInt64
    private let latency: (least: Int64, spread: UInt64)
    private var queue = DeadlineQueue<WorldEvent>()
    private var datagrams = DatagramPool()
    /// Lent to the core whose turn it is.
    private var outbox = Outbox()
    private var isDivided = false
    /// Families whose datagrams get lost.
    private var lost: Endpoint.Families = []
    /// When each node wants to be woken, and when the queue will have a look at it.
    private var wakes: [(wanted: Instant, scheduled: Instant)] = []
    private(set) var now = Instant()
    var randomness: Randomness
    private(set) var inhabitants: [Inhabitant] = []
    private(set) var alive: [Int] = []
    private(set) var delivered = 0
    /// Of every datagram and every result; equal for equal runs.
    private(set) var log = EventLog()

    init(seed: UInt64, options: Options = Options()) {
        self.options = options
        lossThreshold = UInt64(options.loss * 0x1p32)
        let least = options.latency.lowerBound.wholeNanoseconds
        latency = (least, UInt64(options.latency.upperBound.wholeNanoseconds - least))
        randomness = .seeded(seed)
    }

    // MARK: People

    /// Brings a new node up; it starts from some that are alive.
    @discardableResult
    func join(_ families: Endpoint.Families = .ipv4) -> Int {
        let index = inhabitants.count
        let core = NodeCore(
            configuration: .init(id: .random(using: &randomness), families: families, limits: options.limits),
            randomness: .seeded(randomness.next())
        )
        let inhabitant = Inhabitant(core: core, families: families, number: index)
        inhabitant.place = alive.count
        inhabitants.append(inhabitant)
        wakes.append((.distantFuture, .distantFuture))
        alive.append(index)
        if isDivided { inhabitant.side = Int.random(in: 0...1, using: &randomness) }
        turn(of: index) {
            $0.start(now: now, wallTime: WallTime(seconds: 1_800_000_000 + now.nanoseconds / 1_000_000_000))
        }
        return index
    }

    /// Ends a node without a goodbye, and gives its memory back.
    func kill(_ index: Int) {
        let inhabitant = inhabitants[index]
        guard inhabitant.isAlive else { return }
        inhabitant.isAlive = false
        wakes[index].wanted = .distantFuture
        inhabitant.core = NodeCore(configuration: .init(id: inhabitant.core.id), randomness: .seeded(0))
        let last = alive.removeLast()
        if last != index {
            alive[inhabitant.place] = last
            inhabitants[last].place = inhabitant.place
        }
    }

    func isolate(_ index: Int) {
        inhabitants[index].isIsolated = true
        inhabitants[index].canBootstrap = false
    }

    func rejoin(_ index: Int, canBootstrap: Bool) {
        inhabitants[index].isIsolated = false
        inhabitants[index].canBootstrap = canBootstrap
    }

    /// Cuts the world in two; about a given share of the nodes is on the second side.
    func divide(share: Double) {
        isDivided = true
        for inhabitant in inhabitants {
            inhabitant.side = Double.random(in: 0..<1, using: &randomness) < share ? 1 : 0
        }
    }

    /// Datagrams of a family get lost from now on.
    func cut(_ family: Endpoint.Family) {
        lost.insert(Endpoint.Families(family))
    }

    func heal() {
        isDivided = false
    }

    func areTogether(_ left: Int, _ right: Int) -> Bool {
        !isDivided || inhabitants[left].side == inhabitants[right].side
    }

    func changeNetwork(of index: Int) {
        turn(of: index) { $0.connectivityChanged(now: now) }
    }

    func randomInhabitant() -> Int {
        alive[Int.random(in: 0..<alive.count, using: &randomness)]
    }

    // MARK: Work

    func put(_ value: Value, at key: InfoHash, by index: Int, permanent: Bool = false) -> OperationID {
        turn(of: index) { core in
            let operation = core.put(value, at: key, permanent: permanent, isIDDrawn: true, now: now)
            inhabitants[index].results[operation] = Result(began: now)
            return operation
        }
    }

    func get(_ key: InfoHash, by index: Int) -> OperationID {
        turn(of: index) { core in
            let operation = core.get(key, now: now)
            inhabitants[index].results[operation] = Result(began: now)
            return operation
        }
    }

    func listen(at key: InfoHash, by index: Int) -> OperationID {
        turn(of: index) { core in
            let operation = core.listen(at: key, now: now)
            inhabitants[index].heard[operation] = []
            return operation
        }
    }

    /// Lets time pass.
    func run(until end: Instant) {
        while let next = queue.next, let event = queue.popDue(at: end) {
            now = max(next, now)
            perform(event)
        }
        now = end
    }

    private func perform(_ event: WorldEvent) {
        switch event {
        case .wake(let index):
            guard wakes[index].scheduled <= now else { return }
            wakes[index].scheduled = .distantFuture
            if wakes[index].wanted <= now { turn(of: index) { $0.timer(now: now) } } else { scheduleWake(of: index) }
        case .arrival(let number):
            defer { datagrams.remove(number) }
            let datagram = datagrams[number]
            let inhabitant = inhabitants[datagram.receiver]
            guard inhabitant.isAlive, !inhabitant.isIsolated, areTogether(datagram.sender, datagram.receiver) else {
                return
            }
            delivered += 1
            log.note(UInt64(bitPattern: now.nanoseconds))
            log.note(UInt64(datagram.sender) << 32 | UInt64(datagram.receiver))
            log.note(datagram.bytes)
            let sender = inhabitants[datagram.sender].endpoint(datagram.family)
            turn(of: datagram.receiver) { $0.receive(datagram.bytes.span.bytes, from: sender, now: now) }
        }
    }

    // MARK: A core's turn

    /// Gives an input to a core, and does what it wants.
    private func turn<Answer>(of index: Int, _ input: (NodeCore) -> Answer) -> Answer {
        let inhabitant = inhabitants[index]
        swap(&inhabitant.core.outbox, &outbox)
        let answer = input(inhabitant.core)
        while true {
            let events = inhabitant.core.takeEvents()
            if events.isEmpty { break }
            for event in events { handle(event, of: index, inhabitant) }
        }
        swap(&inhabitant.core.outbox, &outbox)
        send(from: index, inhabitant)
        wakes[index].wanted = inhabitant.core.nextDeadline ?? .distantFuture
        scheduleWake(of: index)
        return answer
    }

    private func scheduleWake(of index: Int) {
        guard wakes[index].wanted < wakes[index].scheduled else { return }
        wakes[index].scheduled = wakes[index].wanted
        queue.insert(.wake(index), at: wakes[index].wanted)
    }

    private func send(from index: Int, _ inhabitant: Inhabitant) {
        guard !outbox.isEmpty else { return }
        defer { outbox.removeAll() }
        guard !inhabitant.isIsolated else { return }
        for datagram in outbox.datagrams {
            let target = Int(datagram.receiver.low) - Int(Self.firstAddress)
            let family = datagram.receiver.family
            guard inhabitants.indices.contains(target), inhabitants[target].families.includes(family),
                !lost.includes(family)
            else { continue }
            let draw = randomness.next()
            guard draw & 0xFFFF_FFFF >= lossThreshold else { continue }
            let delay = latency.least + Int64(((draw >> 32) * latency.spread) >> 32)
            let number = datagrams.insert(outbox.bytes(of: datagram), family, from: index, to: target)
            queue.insert(.arrival(datagram: number), at: now + .nanoseconds(delay))
        }
    }

    private func handle(_ event: NodeEvent, of index: Int, _ inhabitant: Inhabitant) {
        switch event {
        case .values(let operation, let values):
            if inhabitant.heard[operation] != nil {
                inhabitant.heard[operation]? += values.map { Heard(value: $0, time: now) }
            } else {
                inhabitant.results[operation]?.values += values
                if inhabitant.results[operation]?.firstValue == nil {
                    inhabitant.results[operation]?.firstValue = now
                }
            }
            log.note(operation.number)
        case .finished(let operation, let succeeded):
            inhabitant.results[operation]?.succeeded = succeeded
            inhabitant.results[operation]?.finished = now
            log.note(operation.number << 1 | (succeeded ? 1 : 0))
        case .bootstrapDue:
            inhabitant.core.bootstrap(with: bootstrapAddresses(for: index, inhabitant), now: now)
        case .check(let number, let check):
            inhabitant.core.finishCheck(number, isPassed: check.isPassed, now: now)
        case .expired, .rows, .pinged, .statusChanged, .publicAddressChanged:
            break
        }
    }

    /// Two others that are alive, or as many as there are.
    private func bootstrapAddresses(for index: Int, _ inhabitant: Inhabitant) -> [Endpoint] {
        guard inhabitant.canBootstrap, alive.count > 1 else { return [] }
        return (0..<2).flatMap { _ in
            var other = index
            while other == index { other = randomInhabitant() }
            let families = inhabitants[other].families.intersection(options.bootstrapFamilies(index))
            return families.members.map { inhabitants[other].endpoint($0) }
        }
    }
}
