public import Keys
public import Logging
public import NIOCore
import NIOPosix
public import Runtime

/// A node of the DHT on a UDP socket.
///
/// Start it, then put, get and listen. All of its work is done on one event loop, which is the executor of this actor;
/// cryptography is done on a pool of threads. It must be shut down before it is let go.
public actor DHTNode {
    nonisolated let eventLoop: any EventLoop
    nonisolated let configuration: Configuration
    nonisolated let vault: ValueVault
    nonisolated let logger: Logger
    nonisolated let time: any TimeSource
    nonisolated let pool = NIOThreadPool.singleton

    enum State {
        case idle, running, shutDown
    }

    private(set) var state = State.idle
    private(set) var core: NodeCore
    var sockets = PerFamily<FamilySocket?> { _ in nil }
    var now: Instant
    private var isInTurn = false
    private var timer: Scheduled<Void>?
    private var timerDeadline = Instant.distantFuture
    private var bootstrapHosts: [HostAddress]
    let batch = DatagramBatch()
    /// Addresses that the system could not send to in this turn.
    var unreachable: Set<Endpoint> = []
    var boundPorts = PerFamily { _ in 0 }
    var lastReopening = PerFamily { _ in Instant.longAgo }
    var discovery: LocalDiscovery?

    var randomness: Randomness
    var gets: [OperationID: GetWaiter] = [:]
    var queries: [OperationID: QueryWaiter] = [:]
    var pings: [OperationID: UInt64] = [:]
    var pingWaiters: [UInt64: PingWaiter] = [:]
    var puts: [OperationID: CheckedContinuation<Bool, Never>] = [:]
    var listeners: [OperationID: ListenerSink] = [:]
    private var statusSinks: [UInt64: AsyncStream<NodeStatus>.Continuation] = [:]
    private var lastTicket: UInt64 = 0
    var certificates = CertificateCache()
    var isCertificatePublished = false

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.executor.asUnownedSerialExecutor()
    }

    public init(
        configuration: Configuration,
        eventLoopGroup: any EventLoopGroup,
        time: any TimeSource = SystemTime(),
        logger: Logger
    ) {
        self.configuration = configuration
        self.time = time
        self.logger = logger
        eventLoop = eventLoopGroup.next()
        vault = ValueVault(key: configuration.identity?.key)
        randomness = configuration.randomness
        let id: InfoHash
        if let given = configuration.id {
            id = given
        } else if configuration.identity == nil, let saved = configuration.savedState, !saved.id.isZero {
            id = saved.id
        } else if let identity = configuration.identity {
            id = InfoHash(hashing: "node:" + identity.key.publicKey.shortID.hex)
        } else {
            id = .random(using: &randomness)
        }
        var limits = NodeLimits()
        limits.storedBytes = configuration.storedBytes
        limits.searches = max(configuration.searches, 1)
        if !configuration.limitsRequests { limits.liftRates() }
        core = NodeCore(
            configuration: NodeCore.Configuration(
                id: id,
                network: configuration.network,
                isClient: configuration.isClient,
                isStable: configuration.isNetworkStable,
                maintainsStorage: configuration.maintainsStorage,
                limits: limits,
                types: ValueTypes(adding: configuration.valueTypes)
            ),
            randomness: randomness
        )
        now = time.now
        bootstrapHosts = configuration.bootstrap.compactMap(HostAddress.init)
    }

    // MARK: Life

    /// Binds the sockets and begins to look for other nodes; returns before any has answered.
    ///
    /// Where one family cannot be bound, as on a machine without IPv6, the node does without it.
    public func start() async throws(DHTError) {
        guard state == .idle else { return }
        state = .running
        var failures: [String] = []
        for family in Endpoint.Family.all {
            guard let host = host(family), !host.isEmpty else { continue }
            do {
                try await openFirstSocket(of: family, at: host)
            } catch {
                failures.append("Cannot bind \(host), port \(configuration.port): \(error)")
                logger.notice("cannot bind", metadata: ["address": "\(host)", "error": "\(error)"])
            }
        }
        guard isRunning else { return }
        guard boundPort != 0 else {
            state = .idle
            let reason = failures.isEmpty ? "No address to bind is given" : failures.joined(separator: ". ")
            throw DHTError(.bind, reason)
        }
        now = time.now
        if let chain = configuration.identity?.chain { certificates.insert(chain) }
        var families: Endpoint.Families = []
        for family in Endpoint.Family.all where sockets[family] != nil { families.insert(Endpoint.Families(family)) }
        core.start(now: now, wallTime: time.wallTime, families: families)
        if let saved = configuration.savedState {
            core.restore(saved, now: now)
            core.restore(saved.values, now: now)
        }
        endTurn()
        await startDiscovery()
    }

    /// Closes the socket and ends all that waits.
    public func shutdown() async {
        guard state == .running else { return }
        state = .shutDown
        timer?.cancel()
        timer = nil
        let open = Endpoint.Family.all.compactMap { sockets[$0]?.channel }
        sockets = PerFamily { _ in nil }
        for channel in open { try? await channel.close() }
        await discovery?.shutdown()
        for waiter in gets.values { waiter.continuation.resume(returning: waiter.found) }
        gets.removeAll()
        for query in queries.values { query.continuation.resume(returning: query.rows) }
        queries.removeAll()
        for waiter in pingWaiters.values { waiter.continuation.resume(returning: nil) }
        pingWaiters.removeAll()
        pings.removeAll()
        for put in puts.values { put.resume(returning: false) }
        puts.removeAll()
        for listener in listeners.values { listener.continuation.finish() }
        listeners.removeAll()
        for sink in statusSinks.values { sink.finish() }
        statusSinks.removeAll()
    }

    /// The port of the socket of IPv4, or of IPv6 on a node without IPv4; 0 before ``start()``.
    public var boundPort: Int { boundPorts[.ipv4] != 0 ? boundPorts[.ipv4] : boundPorts[.ipv6] }

    /// The port of the socket of a family; 0 when there is none.
    public func boundPort(of family: Endpoint.Family) -> Int { boundPorts[family] }

    /// The id of this node.
    public var id: InfoHash { core.id }

    /// Adds an address to start from, and tries it if the node is not connected.
    public func bootstrap(_ address: String) {
        guard let host = HostAddress(address), !bootstrapHosts.contains(host), bootstrapHosts.count < 64 else { return }
        bootstrapHosts.append(host)
        guard state == .running, core.status != .connected else { return }
        beginTurn()
        core.bootstrapNow(now: now)
        endTurn()
    }

    /// Says that the machine has another address or network now.
    public func connectivityChanged() {
        guard state == .running else { return }
        beginTurn()
        core.connectivityChanged(now: now)
        endTurn()
        // Ends by itself: opening sockets either succeeds or fails.
        if let discovery { Task { await discovery.begin(isAnew: true) } }
    }

    // MARK: What is known

    public var status: NodeStatus { core.status }

    /// The status now and each one to come; a slow reader gets the newest only.
    public var statusChanges: AsyncStream<NodeStatus> {
        let (stream, continuation) = AsyncStream.makeStream(of: NodeStatus.self, bufferingPolicy: .bufferingNewest(1))
        guard state != .shutDown else {
            continuation.finish()
            return stream
        }
        let number = takeTicket()
        statusSinks[number] = continuation
        continuation.onTermination = { [weak self, eventLoop] _ in
            eventLoop.execute { [weak self] in self?.assumeIsolated { $0.statusSinks[number] = nil } }
        }
        continuation.yield(core.status)
        return stream
    }

    /// The address, without a port, at which most peers see us; that of IPv4 if there are two.
    public var publicAddress: String? { publicAddress(of: .ipv4) ?? publicAddress(of: .ipv6) }

    public func publicAddress(of family: Endpoint.Family) -> String? {
        core.publicAddress(of: family)?.addressText
    }

    /// What is worth keeping for the next run.
    public var savedState: NodeState { core.state(now: time.now) }

    /// What to keep for a later run of the node: its id, nodes that are good, and the values that it stores.
    ///
    /// Permanent values are among them, but will be ordinary ones: whoever put them has to do so again.
    public func export() -> NodeState {
        var state = core.state(now: time.now)
        state.values = core.storedValues(now: time.now)
        return state
    }

    public var statistics: NodeStatistics { core.statistics(now: time.now) }

    // MARK: Turns of the core

    /// Reads the clock once for a batch of inputs.
    func beginTurn() {
        guard !isInTurn else { return }
        isInTurn = true
        now = time.now
    }

    /// Runs a command on the core and all that follows from it.
    func turn<T>(_ body: (NodeCore, Instant) -> T) -> T {
        beginTurn()
        let result = body(core, now)
        endTurn()
        return result
    }

    /// A number that was not used before.
    func takeTicket() -> UInt64 {
        lastTicket += 1
        return lastTicket
    }

    var isRunning: Bool { state == .running }
    var ownKey: RSAPublicKey? { configuration.identity?.key.publicKey }
    var currentTime: Instant { now }

    /// Sends what the core wrote, handles its events and arms the timer.
    func endTurn() {
        isInTurn = false
        flush()
        // What follows from it may be refused too, but each node of a search is turned to only once.
        while !unreachable.isEmpty {
            core.cannotReach(unreachable, now: now)
            unreachable.removeAll(keepingCapacity: true)
            flush()
        }
        for event in core.takeEvents() { handle(event) }
        armTimer()
    }

    private func armTimer() {
        guard state == .running, let next = core.nextDeadline else { return }
        guard timer == nil || next != timerDeadline else { return }
        timer?.cancel()
        timerDeadline = next
        let delay = max((next - time.now).wholeNanoseconds, 0)
        timer = eventLoop.scheduleTask(in: .nanoseconds(delay)) { [weak self] in
            self?.assumeIsolated { $0.timerFired() }
        }
    }

    private func timerFired() {
        timer = nil
        guard state == .running else { return }
        beginTurn()
        core.setWallTime(time.wallTime, now: now)
        core.timer(now: now)
        endTurn()
    }

    // MARK: Events

    private func handle(_ event: NodeEvent) {
        switch event {
        case .values(let operation, let values):
            enqueue(values.map { .value($0) }, for: operation)
        case .rows(let operation, let rows):
            queries[operation]?.rows += rows
        case .pinged(let operation, let answer):
            pingEnded(operation, answer)
        case .expired(let operation, let ids):
            enqueue(ids.map { .expired($0) }, for: operation)
        case .finished(let operation, let succeeded):
            if let put = puts.removeValue(forKey: operation) {
                put.resume(returning: succeeded)
            } else if let query = queries.removeValue(forKey: operation) {
                query.continuation.resume(returning: query.rows)
            } else {
                enqueue([.finished(succeeded)], for: operation)
            }
        case .statusChanged(let status):
            logger.debug("status changed", metadata: ["status": "\(status)"])
            for sink in statusSinks.values { sink.yield(status) }
            if status == .connected { publishCertificate() }
            tellDiscovery(status)
        case .bootstrapDue:
            resolveBootstrap()
        case .check(let number, let check):
            let work: @Sendable () -> Bool = { check.isPassed }
            run(work) { node, isPassed in
                node.turn { core, now in core.finishCheck(number, isPassed: isPassed, now: now) }
            }
        case .publicAddressChanged(let address):
            logger.debug("public address changed", metadata: ["address": "\(address ?? "unknown")"])
        }
    }

    private func resolveBootstrap() {
        let hosts = bootstrapHosts
        guard !hosts.isEmpty else { return turn { core, now in core.bootstrap(with: [], now: now) } }
        let work: @Sendable () -> [Endpoint] = { hosts.flatMap { $0.resolve() } }
        run(work) { node, endpoints in
            node.turn { core, now in core.bootstrap(with: endpoints, now: now) }
        }
    }

    /// Does blocking work on the pool and comes back with its result.
    func run<T: Sendable>(
        _ work: @escaping @Sendable () -> T,
        then: @escaping @Sendable (isolated DHTNode, T) -> Void
    ) {
        pool.runIfActive(eventLoop: eventLoop, work).whenSuccess { [weak self] result in
            self?.assumeIsolated { node in
                guard node.isRunning else { return }
                then(node, result)
            }
        }
    }
}
