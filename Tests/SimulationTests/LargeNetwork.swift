import Keys
import Runtime

@testable import DHT

/// A network whose nodes come and go, which is cut in two and heals, and in which values are put, looked up and heard of.
struct LargeNetwork {
    struct Plan {
        var seed: UInt64 = 1
        var size = 10_000
        var joinsPerSecond = 50
        /// How long half of the nodes stay.
        var halfLife = Duration.seconds(600)
        /// Of the time with churn, in seconds.
        var duration = 1200
        /// When the network is cut in two and when it heals, in seconds of the time with churn.
        var division = 600..<780
        var lookupsPerSecond = 8
        var values = 600
        var listeners = 100
    }

    /// Counts of operations of one kind.
    struct Tally {
        var begun = 0
        var succeeded = 0
        var latencies: [Duration] = []

        mutating func count(_ latency: Duration?) {
            begun += 1
            guard let latency else { return }
            succeeded += 1
            latencies.append(latency)
        }

        func latency(at share: Double) -> Duration {
            guard !latencies.isEmpty else { return .zero }
            return latencies.sorted()[min(Int(share * Double(latencies.count)), latencies.count - 1)]
        }

        var successShare: Double { begun == 0 ? 1 : Double(succeeded) / Double(begun) }
    }

    struct Report {
        /// From the command to the first value.
        var lookups = Tally()
        /// While the network was cut in two.
        var dividedLookups = Tally()
        /// Of passing values that were put on one side of a cut, after it healed: nobody puts them a second time.
        var strandedLookups = Tally()
        /// Of permanent values whose writers were still there, at the very end.
        var lastLookups = Tally()
        var puts = Tally()
        /// From a put to the listener, but for puts while the network was cut in two.
        var notifications = Tally()
        var joined = 0
        var alive = 0
        var connected = 0
        var delivered = 0
        /// Of the log at the end of each minute with churn, and at the end of all.
        var logs: [UInt64] = []
    }

    private struct Stored {
        let key: InfoHash
        let value: Value
        let writer: Int
        let isPermanent: Bool
        let began: Instant
        let wasDivided: Bool
        let operation: OperationID
    }

    private struct Lookup {
        let reader: Int
        let operation: OperationID
        let wanted: Stored
        let began: Instant
        let wasDivided: Bool
    }

    private struct Listening {
        let key: InfoHash
        let listener: Int
        let operation: OperationID
        var awaited: [(value: UInt64, put: Instant)] = []
    }

    private let plan: Plan
    private let world: DHTWorld
    private var stored: [Stored] = []
    private var lookups: [Lookup] = []
    private var listenings: [Listening] = []
    private var isDivided = false
    private var valueCount: UInt64 = 0
    private(set) var report = Report()

    init(_ plan: Plan) {
        self.plan = plan
        var options = DHTWorld.Options()
        options.latency = .milliseconds(20)...(.milliseconds(30))
        options.loss = 0.05
        world = DHTWorld(seed: plan.seed, options: options)
    }

    static func run(_ plan: Plan) -> Report {
        var network = LargeNetwork(plan)
        network.grow()
        network.live()
        network.end()
        return network.report
    }

    mutating func grow() {
        for _ in 0..<plan.size {
            world.join()
            world.run(until: world.now + .seconds(1) / plan.joinsPerSecond)
        }
        world.run(until: world.now + .seconds(60))
        for number in 0..<plan.values {
            put(permanent: number % 2 == 0)
            world.run(until: world.now + .milliseconds(50))
        }
        for _ in 0..<plan.listeners { listen() }
        world.run(until: world.now + .seconds(10))
    }

    mutating func live() {
        let ticks = 10
        let churn = Double(plan.size) / 2 / plan.halfLife.inSeconds / Double(ticks)
        var owed = 0.0
        for second in 0..<plan.duration {
            if second == plan.division.lowerBound { divide() }
            if second == plan.division.upperBound { heal() }
            if second % 60 == 59 { report.logs.append(world.log.hash) }
            for tick in 0..<ticks {
                owed += churn
                while owed >= 1 {
                    owed -= 1
                    world.kill(world.randomInhabitant())
                    world.join()
                }
                for number in 0..<plan.lookupsPerSecond where number % ticks == tick { lookUp() }
                if tick == 3 { put(permanent: second % 2 == 0) }
                if tick == 7, second % 5 == 0, !listenings.isEmpty { putForListeners(second / 5 % listenings.count) }
                world.run(until: world.now + .seconds(1) / ticks)
            }
        }
        world.run(until: world.now + .seconds(60))
    }

    mutating func end() {
        let survivors = stored.filter { $0.isPermanent && world.inhabitants[$0.writer].isAlive }
        var last: [Lookup] = []
        for survivor in survivors {
            if let lookup = lookup(of: survivor) { last.append(lookup) }
            world.run(until: world.now + .milliseconds(50))
        }
        world.run(until: world.now + .seconds(60))
        for lookup in last { if let latency = latency(of: lookup) { report.lastLookups.count(latency) } }
        for lookup in lookups { if let latency = latency(of: lookup) { count(latency, of: lookup) } }
        for put in stored where world.inhabitants[put.writer].isAlive {
            let result = world.inhabitants[put.writer].results[put.operation]
            report.puts.count(result?.succeeded == true ? result?.finished.map { $0 - put.began } : nil)
        }
        for listening in listenings where world.inhabitants[listening.listener].isAlive {
            let heard = world.inhabitants[listening.listener].heard[listening.operation] ?? []
            for awaited in listening.awaited {
                let first = heard.first { $0.value.id == awaited.value }
                report.notifications.count(first.map { $0.time - awaited.put })
            }
        }
        report.joined = world.inhabitants.count
        report.alive = world.alive.count
        report.connected = world.alive.count { world.inhabitants[$0].core.status == .connected }
        report.delivered = world.delivered
        report.logs.append(world.log.hash)
    }

    private mutating func count(_ latency: Duration?, of lookup: Lookup) {
        if lookup.wasDivided {
            report.dividedLookups.count(latency)
        } else if lookup.wanted.wasDivided, !lookup.wanted.isPermanent {
            report.strandedLookups.count(latency)
        } else {
            report.lookups.count(latency)
        }
    }

    // MARK: What happens

    private mutating func divide() {
        isDivided = true
        world.divide(share: 0.3)
    }

    private mutating func heal() {
        isDivided = false
        world.heal()
    }

    private mutating func value() -> Value {
        valueCount += 1
        // Some values are inline, some follow in parts.
        return Value(id: valueCount, data: world.randomness.bytes(valueCount % 8 == 0 ? 2000 : 100))
    }

    private mutating func put(permanent: Bool) {
        let value = value()
        put(value, at: .random(using: &world.randomness), permanent: permanent)
    }

    private mutating func put(_ value: Value, at key: InfoHash, permanent: Bool) {
        guard let writer = connectedInhabitant() else { return }
        stored.append(
            Stored(
                key: key,
                value: value,
                writer: writer,
                isPermanent: permanent,
                began: world.now,
                wasDivided: isDivided,
                operation: world.put(value, at: key, by: writer, permanent: permanent)
            )
        )
    }

    private mutating func lookUp() {
        // Passing values live ten minutes, permanent ones as long as their writers.
        let recent = world.now - .seconds(480)
        for _ in 0..<100 {
            guard let candidate = stored.randomElement(using: &world.randomness) else { return }
            let isThere =
                candidate.isPermanent ? world.inhabitants[candidate.writer].isAlive : candidate.began > recent
            guard isThere, candidate.began < world.now - .seconds(10) else { continue }
            if let lookup = lookup(of: candidate) { lookups.append(lookup) }
            return
        }
    }

    private mutating func lookup(of wanted: Stored) -> Lookup? {
        guard let reader = connectedInhabitant() else { return nil }
        return Lookup(
            reader: reader,
            operation: world.get(wanted.key, by: reader),
            wanted: wanted,
            began: world.now,
            wasDivided: isDivided
        )
    }

    private mutating func listen() {
        guard let listener = connectedInhabitant() else { return }
        let key = InfoHash.random(using: &world.randomness)
        listenings.append(
            Listening(key: key, listener: listener, operation: world.listen(at: key, by: listener))
        )
    }

    private mutating func putForListeners(_ index: Int) {
        let value = value()
        put(value, at: listenings[index].key, permanent: false)
        if !isDivided { listenings[index].awaited.append((value.id, world.now)) }
    }

    /// One that is connected.
    private mutating func connectedInhabitant() -> Int? {
        for _ in 0..<100 {
            let index = world.randomInhabitant()
            if world.inhabitants[index].core.status == .connected { return index }
        }
        return nil
    }

    /// How long a lookup took, nothing inside if it failed; `nil` when the reader went away meanwhile.
    private func latency(of lookup: Lookup) -> Duration?? {
        let reader = world.inhabitants[lookup.reader]
        guard reader.isAlive, let result = reader.results[lookup.operation] else { return nil }
        return .some(result.values.contains(lookup.wanted.value) ? result.firstValue.map { $0 - lookup.began } : nil)
    }
}

extension LargeNetwork.Tally: CustomStringConvertible {
    var description: String {
        let times = [0.5, 0.9, 0.99, 1].map { "\(latency(at: $0).wholeMilliseconds)" }.joined(separator: " ")
        return "\(succeeded) of \(begun), median, 90 %, 99 %, most: \(times) ms"
    }
}

extension LargeNetwork.Report: CustomStringConvertible {
    var description: String {
        """
        \(joined) nodes, \(alive) alive, \(connected) connected, \(delivered) datagrams, log \(logs.last ?? 0)
            lookups: \(lookups)
            while divided: \(dividedLookups)
            of what was stranded: \(strandedLookups)
            at the end: \(lastLookups)
            puts: \(puts)
            notifications: \(notifications)

        """
    }
}
