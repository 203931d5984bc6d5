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
    public struct Configuration: Sendable {
        public var bindAddress = "0.0.0.0"
        /// 0 lets the system choose.
        public var port = 0
        /// Nodes of other networks are not heard.
        public var network: UInt32 = 0
        /// `host`, `host:port` or `[IPv6]:port`; the default port is 4222.
        public var bootstrap: [String] = []
        /// The key that signs and opens values, and the chain of its certificate, which is published.
        public var identity: (key: RSAPrivateKey, chain: CertificateChain)?
        /// Whether to stay out of the routing tables of others.
        public var isClient = false
        /// Whether requests beyond a rate are dropped; only measurements on a private network can do without.
        public var limitsRequests = true
        /// Bytes of values that are kept for others.
        public var storedBytes = 64 << 20
        /// Keys that are looked for, put to or listened at, those of the last hour included; each counts once for each
        /// address family, and more fail.
        public var searches = 16_384
        /// Types of values besides the standard ones, or in their place.
        public var valueTypes: [ValueType] = []
        public var randomness = Randomness.secure
        /// What ``DHTNode/export()`` gave in an earlier run, or the state of another node.
        ///
        /// When the node starts, its nodes are asked too, and those of its values that still live are stored again.
        public var savedState: NodeState?

        public init() {}
    }

    nonisolated let eventLoop: any EventLoop
    nonisolated private let configuration: Configuration
    nonisolated let vault: ValueVault
    nonisolated let logger: Logger
    nonisolated let time: any TimeSource
    nonisolated let pool = NIOThreadPool.singleton

    private enum State {
        case idle, running, shutDown
    }

    private var state = State.idle
    private(set) var core: NodeCore
    private var channel: (any Channel)?
    private var socket: DatagramSocket?
    private var now: Instant
    private var isInTurn = false
    private var timer: Scheduled<Void>?
    private var timerDeadline = Instant.distantFuture
    private var bootstrapHosts: [HostAddress]
    private var socketAddresses: [Endpoint: SocketAddress] = [:]
    private var lastReopening = Instant.longAgo

    var randomness: Randomness
    var gets: [OperationID: GetWaiter] = [:]
    var queries: [OperationID: QueryWaiter] = [:]
    var puts: [OperationID: CheckedContinuation<Bool, Never>] = [:]
    var listeners: [OperationID: ListenerSink] = [:]
    private var statusSinks: [UInt64: AsyncStream<NodeStatus>.Continuation] = [:]
    private var lastTicket: UInt64 = 0
    var certificates = CertificateCache()
    private var isCertificatePublished = false

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
        if configuration.identity == nil, let saved = configuration.savedState, !saved.id.isZero {
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
                limits: limits,
                types: ValueTypes(adding: configuration.valueTypes)
            ),
            randomness: randomness
        )
        now = time.now
        bootstrapHosts = configuration.bootstrap.compactMap(HostAddress.init)
    }

    // MARK: Life

    /// Binds the socket and begins to look for other nodes; returns before any has answered.
    public func start() async throws(DHTError) {
        guard state == .idle else { return }
        state = .running
        do {
            try await openSocket(port: configuration.port)
        } catch {
            state = .idle
            throw DHTError(.bind, "Cannot bind \(configuration.bindAddress):\(configuration.port): \(error)")
        }
        now = time.now
        if let chain = configuration.identity?.chain { certificates.insert(chain) }
        core.start(now: now, wallTime: time.wallTime)
        if let saved = configuration.savedState {
            core.restore(saved, now: now)
            core.restore(saved.values, now: now)
        }
        endTurn()
    }

    /// Closes the socket and ends all that waits.
    public func shutdown() async {
        guard state == .running else { return }
        state = .shutDown
        timer?.cancel()
        timer = nil
        let open = channel
        channel = nil
        socket = nil
        try? await open?.close()
        for waiter in gets.values { waiter.continuation.resume(returning: waiter.found) }
        gets.removeAll()
        for query in queries.values { query.continuation.resume(returning: query.rows) }
        queries.removeAll()
        for put in puts.values { put.resume(returning: false) }
        puts.removeAll()
        for listener in listeners.values { listener.continuation.finish() }
        listeners.removeAll()
        for sink in statusSinks.values { sink.finish() }
        statusSinks.removeAll()
    }

    private func openSocket(port: Int) async throws {
        let opened = try DatagramSocket(bindingTo: configuration.bindAddress, port: port)
        let bound = try await DatagramBootstrap(group: eventLoop)
            // Rows of fields make datagrams of many kilobytes; more than 64 KiB in all cost a mapping for each read.
            .channelOption(.datagramVectorReadMessageCount, value: 4)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4 * 16_384))
            .channelOption(.socketOption(.so_rcvbuf), value: 4 << 20)
            .channelOption(.socketOption(.so_sndbuf), value: 4 << 20)
            // What does not fit into the system's buffers waits here.
            .channelOption(.writeBufferWaterMark, value: .init(low: 1 << 20, high: 8 << 20))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramHandler(node: self))
                }
            }
            .withBoundSocket(opened.descriptor)
            .get()
        guard state == .running, channel == nil else {
            try? await bound.close()
            return
        }
        socket = opened
        channel = bound
        boundPort = bound.localAddress?.port ?? port
    }

    /// The port of the socket; 0 before ``start()``.
    public private(set) var boundPort = 0

    /// The id of this node.
    public var id: InfoHash { core.id }

    /// Adds an address to start from, and tries it if the node is not connected.
    public func addBootstrap(_ address: String) {
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

    func received(_ buffer: ByteBuffer, from sender: Endpoint) {
        guard state == .running else { return }
        beginTurn()
        core.receive(buffer.readableBytesSpan, from: sender, now: now)
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
        for event in core.takeEvents() { handle(event) }
        armTimer()
    }

    private func flush() {
        guard !core.outbox.isEmpty else { return }
        defer { core.outbox.removeAll() }
        guard let channel, channel.isActive, let socket else { return }
        let datagrams = core.outbox.datagrams
        var waiting = datagrams[...]
        // The bytes stay where they are during the closure.
        unsafe core.outbox.bytes.withUnsafeBytes { bytes in
            while let datagram = waiting.first {
                if datagram.receiver.family == .ipv4, let address = socketAddress(of: datagram.receiver) {
                    let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[datagram.start..<datagram.end])
                    if unsafe socket.send(part, to: address) == .busy { return }
                }
                waiting.removeFirst()
            }
        }
        if !waiting.isEmpty { queue(waiting, on: channel) }
    }

    /// Lets the channel send the datagrams when there is room for them again.
    private func queue(_ datagrams: ArraySlice<Outbox.Datagram>, on channel: any Channel) {
        let bytes = channel.allocator.buffer(bytes: core.outbox.bytes)
        for datagram in datagrams where datagram.receiver.family == .ipv4 && channel.isWritable {
            guard let slice = bytes.getSlice(at: datagram.start, length: datagram.end - datagram.start),
                let address = socketAddress(of: datagram.receiver)
            else { continue }
            channel.write(AddressedEnvelope(remoteAddress: address, data: slice), promise: nil)
        }
        channel.flush()
    }

    private func socketAddress(of endpoint: Endpoint) -> SocketAddress? {
        if let known = socketAddresses[endpoint] { return known }
        guard let address = endpoint.socketAddress else { return nil }
        if socketAddresses.count >= 4096 { socketAddresses.removeAll(keepingCapacity: true) }
        socketAddresses[endpoint] = address
        return address
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

    /// Opens the socket again after the system closed it.
    func socketClosed() {
        guard state == .running else { return }
        channel = nil
        socket = nil
        let wait = time.now - lastReopening < .seconds(1) ? TimeAmount.seconds(1) : .zero
        eventLoop.scheduleTask(in: wait) { [weak self] in
            guard let self else { return }
            // Ends by itself: binding either succeeds or fails.
            Task { await self.reopen() }
        }
    }

    private func reopen() async {
        guard state == .running, channel == nil else { return }
        lastReopening = time.now
        do {
            try await openSocket(port: boundPort)
            endTurn()
        } catch {
            logger.warning("cannot reopen the socket", metadata: ["error": "\(error)"])
            eventLoop.scheduleTask(in: .seconds(1)) { [weak self] in self?.assumeIsolated { $0.socketClosed() } }
        }
    }

    // MARK: Events

    private func handle(_ event: NodeEvent) {
        switch event {
        case .values(let operation, let values):
            enqueue(values.map { .value($0) }, for: operation)
        case .rows(let operation, let rows):
            queries[operation]?.rows += rows
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

    private func publishCertificate() {
        guard !isCertificatePublished, let chain = configuration.identity?.chain else { return }
        isCertificatePublished = true
        let key = chain.leaf.publicKey
        let value = Value(
            id: CertificatePayload.valueID,
            type: ValueType.certificate.number,
            data: CertificatePayload.data(of: chain)
        )
        // Other implementations look at one of the two, depending on their age.
        for location in [key.shortID, CertificatePayload.location(of: key.longID)] {
            _ = core.put(value, at: location, permanent: true, isIDDrawn: false, now: now)
        }
        eventLoop.execute { [weak self] in self?.assumeIsolated { $0.endTurn() } }
    }
}
