import ICE
import NIOCore
import Runtime
import Testing

/// Two agents with a network between them, on a virtual clock; everything follows from the seed.
private struct ICEWorld {
    struct Faults {
        /// Of the connection attempts, how many are refused, and how many run into nothing.
        var refused = 0.0
        var silent = 0.0
        /// Chance that a connection breaks at a frame.
        var broken = 0.0
        var delay: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(80)
        var signallingDelay: ClosedRange<Duration> = .milliseconds(10) ... .milliseconds(600)
    }

    private enum Event: Sendable {
        case wake(Int)
        case describe(Int)
        case dialEnds(Int, ICEAgent.ConnectionID, isRefused: Bool)
        case arrive(link: Int, at: Int, ByteBuffer)
        case end(link: Int, at: Int)
    }

    /// One TCP connection: what each side calls it, and when its last frame arrives there.
    private struct Link {
        var ids: [ICEAgent.ConnectionID]
        var isOpen = [true, true]
        var last: [Instant]
    }

    private var agents: [ICEAgent] = []
    private var hasDescription = [false, false]
    private var links: [Link] = []
    private var queue = DeadlineQueue<Event>()
    private var randomness: Randomness
    private var now = Instant()
    private var acceptedCount = [0, 0]
    private let faults: Faults
    private let greeting = ByteBuffer(bytes: [22, 3, 1, 1, 2, 3])

    private(set) var log: [String] = []
    private(set) var selected: [ICEAgent.ConnectionID?] = [nil, nil]
    private(set) var failed: [ICEFailure?] = [nil, nil]
    private(set) var delivered: [[UInt8]] = [[], []]
    private(set) var violations: [String] = []

    /// Agent 0 is the answerer, agent 1 the requester.
    init(seed: UInt64, addressesPerSide: Int = 2, faults: Faults) throws {
        randomness = .seeded(seed)
        self.faults = faults
        for side in 0...1 {
            let addresses = try (1...addressesPerSide).map { number in
                LocalAddress(host: try #require(IPAddress("10.0.\(side).\(number)")), listeningPort: 5_000)
            }
            let seed = randomness.next()
            agents.append(
                ICEAgent(role: side == 0 ? .controlling : .controlled, addresses: addresses, randomness: .seeded(seed))
            )
        }
    }

    var isOver: Bool {
        (0...1).allSatisfy { failed[$0] != nil || selected[$0] != nil && !delivered[1].isEmpty }
    }

    mutating func run(until end: Duration = .seconds(120)) {
        queue.insert(.describe(0), at: now)
        queue.insert(.describe(1), at: now + randomness.duration(in: faults.signallingDelay))
        while let next = queue.next, next <= Instant() + end {
            now = next
            while let event = queue.popDue(at: now) { handle(event) }
        }
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .wake(let side):
            if let due = agents[side].nextDeadline, due <= now { input(.timer, to: side) }
        case .describe(let side):
            input(.remoteDescription(agents[1 - side].localDescription), to: side)
        case .dialEnds(let side, let id, let isRefused):
            isRefused ? input(.connectFailed(id), to: side) : connect(side, id)
        case .arrive(let link, let side, let payload):
            guard links[link].isOpen[side] else { return }
            if Double.random(in: 0..<1, using: &randomness) < faults.broken {
                close(link)
            } else {
                input(.frame(links[link].ids[side], payload), to: side)
            }
        case .end(let link, let side):
            guard links[link].isOpen[side] else { return }
            links[link].isOpen[side] = false
            input(.closed(links[link].ids[side]), to: side)
        }
    }

    private mutating func input(_ input: ICEAgent.Input, to side: Int) {
        for effect in agents[side].handle(input, now: now) { perform(effect, of: side) }
        if let deadline = agents[side].nextDeadline { queue.insert(.wake(side), at: max(deadline, now)) }
    }

    private mutating func perform(_ effect: ICEAgent.Effect, of side: Int) {
        log.append("\(now.nanoseconds / 1_000) \(side) \(effect)")
        switch effect {
        case .connect(let id, _):
            let chance = Double.random(in: 0..<1, using: &randomness)
            guard chance >= faults.silent else { return }
            let isRefused = chance < faults.silent + faults.refused
            queue.insert(.dialEnds(side, id, isRefused: isRefused), at: now + randomness.duration(in: faults.delay))
        case .send(let id, let message):
            send(ByteBuffer(bytes: message), on: id, from: side)
        case .close(let id):
            if let link = link(id, of: side) { close(link, from: side) }
        case .selected(let id):
            if selected[side] != nil { violations.append("selected twice") }
            selected[side] = id
            if side == 0 { send(greeting, on: id, from: side) }
        case .deliver(let bytes):
            delivered[side] += Array(bytes.readableBytesView)
        case .failed(let failure):
            if failed[side] != nil { violations.append("failed twice") }
            failed[side] = failure
        case .stopListening:
            break
        }
    }

    private func link(_ id: ICEAgent.ConnectionID, of side: Int) -> Int? {
        links.lastIndex { $0.ids[side] == id }
    }

    private mutating func connect(_ side: Int, _ id: ICEAgent.ConnectionID) {
        acceptedCount[1 - side] += 1
        let accepted = ICEAgent.ConnectionID.accepted(acceptedCount[1 - side])
        links.append(Link(ids: side == 0 ? [id, accepted] : [accepted, id], last: [now, now]))
        let local = TransportAddress(host: .v4(0x0A00_0001), port: 40_000)
        input(.connected(id, local: local), to: side)
        input(.accepted(accepted, local: local, remote: local), to: 1 - side)
    }

    /// TCP keeps the order on one connection, and promises nothing between two.
    private mutating func send(_ payload: ByteBuffer, on id: ICEAgent.ConnectionID, from side: Int) {
        guard let link = link(id, of: side), links[link].isOpen[side] else { return }
        let arrival = max(links[link].last[1 - side], now + randomness.duration(in: faults.delay))
        links[link].last[1 - side] = arrival
        queue.insert(.arrive(link: link, at: 1 - side, payload), at: arrival)
    }

    private mutating func close(_ link: Int, from side: Int? = nil) {
        for end in 0...1 where links[link].isOpen[end] {
            if end == side {
                links[link].isOpen[end] = false
            } else {
                queue.insert(.end(link: link, at: end), at: max(links[link].last[end], now))
            }
        }
    }

    /// Whether any dial succeeded.
    var hasPath: Bool { !links.isEmpty }

    /// Whether both sides mean the same TCP connection.
    var agree: Bool {
        guard let first = selected[0], let second = selected[1] else { return false }
        return links.contains { $0.ids == [first, second] }
    }
}

@Suite struct ICESimulationTests {
    @Test(arguments: 1...40 as ClosedRange<UInt64>) func `on a good network both sides select one connection`(
        seed: UInt64
    ) throws {
        var world = try ICEWorld(seed: seed, faults: .init())
        world.run(until: .seconds(20))
        #expect(world.agree)
        #expect(world.delivered == [[], [22, 3, 1, 1, 2, 3]])
        #expect(world.failed == [nil, nil])
        #expect(world.violations.isEmpty)
    }

    @Test(arguments: 1...60 as ClosedRange<UInt64>) func `with refused and silent dials one open path is enough`(
        seed: UInt64
    ) throws {
        var faults = ICEWorld.Faults()
        faults.refused = 0.3
        faults.silent = 0.3
        var world = try ICEWorld(seed: seed, addressesPerSide: 4, faults: faults)
        world.run()
        #expect(world.agree == world.hasPath)
        #expect(world.delivered[1] == (world.hasPath ? [22, 3, 1, 1, 2, 3] : []))
        #expect(world.violations.isEmpty)
    }

    @Test(arguments: 1...60 as ClosedRange<UInt64>) func `with breaking connections both sides come to an end`(
        seed: UInt64
    ) throws {
        var faults = ICEWorld.Faults()
        faults.refused = 0.2
        faults.silent = 0.2
        faults.broken = 0.15
        faults.signallingDelay = .milliseconds(10) ... .seconds(5)
        var world = try ICEWorld(seed: seed, addressesPerSide: 3, faults: faults)
        world.run(until: .seconds(200))
        for side in 0...1 { #expect(world.selected[side] != nil || world.failed[side] != nil) }
        if world.selected[1] != nil { #expect(world.agree) }
        #expect(world.violations.isEmpty)
    }

    @Test func `without any path both sides give up`() throws {
        var faults = ICEWorld.Faults()
        faults.silent = 1
        var world = try ICEWorld(seed: 1, faults: faults)
        world.run()
        #expect(world.failed == [.noValidPair, .noValidPair])
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `one seed gives one history`(seed: UInt64) throws {
        var faults = ICEWorld.Faults()
        faults.refused = 0.3
        faults.broken = 0.05
        var worlds = [
            try ICEWorld(seed: seed, addressesPerSide: 3, faults: faults),
            try ICEWorld(seed: seed, addressesPerSide: 3, faults: faults),
        ]
        worlds[0].run()
        worlds[1].run()
        #expect(worlds[0].log == worlds[1].log)
        #expect(worlds[0].log.count > 10)
    }
}
