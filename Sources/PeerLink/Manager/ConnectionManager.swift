public import ICE
public import Identity
public import Keys
public import Logging
public import NIOCore
public import Runtime

/// The connections of one device: asks for them, answers requests, and opens channels on them.
///
/// There is one attempt per device at a time, whoever waits for it, and failures are reported, never repeated: retrying
/// belongs to the caller. Source: peer connections protocol, "Connection manager".
public actor ConnectionManager {
    /// Whether a device may connect; asked before its request is answered.
    public typealias Authorization = @Sendable (CertificateChain) async -> Bool
    /// Whether a peer may open a channel of this name.
    public typealias Acceptance = @Sendable (PeerConnection, String) async -> Bool
    /// An incoming channel is open; the handler owns it.
    public typealias Opened = @Sendable (PeerChannel) async -> Void

    /// Times and bounds.
    public struct Configuration: Sendable {
        /// Whether loopback addresses are candidates; for tests on one machine.
        public var allowsLoopback: Bool
        public var ice = ICELimits()
        /// For the answer to a connection request.
        public var answerTimeout: Duration = .seconds(30)
        /// For the TLS handshake; young accounts of older peers compute parameters first.
        public var handshakeTimeout: Duration = .seconds(40)
        /// Requests of one device that are looked at, in ``requestWindow``.
        public var requestQuota = 12
        public var requestWindow: Duration = .seconds(30)
        /// Requests that are being answered at the same time.
        public var concurrentAnswers = 32
        /// Connections to one device; the oldest gives way.
        public var connectionsPerDevice = 8
        /// Connections in all, from which on requests of others are not answered any more.
        public var connections = 512

        /// Whether a request was not treated before, also not by an earlier process; `nil` when nobody keeps track.
        ///
        /// The network repeats requests for ten minutes to a device that has started anew.
        public var isFreshRequest: (@Sendable (_ id: UInt64) async -> Bool)?

        public init(allowsLoopback: Bool = false) {
            self.allowsLoopback = allowsLoopback
        }
    }

    public enum Event: Sendable {
        case connected(PeerConnection)
        case disconnected(PeerConnection)
    }

    typealias ConnectionWaiter = CheckedContinuation<Result<PeerConnection, PeerLinkError>, Never>
    typealias AnswerWaiter = CheckedContinuation<Result<String, PeerLinkError>, Never>

    /// Names a request on both sides.
    struct RequestKey: Hashable {
        var device: LongID
        var id: UInt64
    }

    /// What is known about one device.
    struct Device {
        /// Oldest first.
        var connections: [PeerConnection] = []
        /// Attempts of either side that have not ended.
        var attempts = 0
        var isRequesting = false
        var waiters: [(id: UInt64, continuation: ConnectionWaiter)] = []

        var isForgettable: Bool { connections.isEmpty && attempts == 0 && waiters.isEmpty }
    }

    let identity: DeviceIdentity
    let signalling: any Signalling
    let configuration: Configuration
    let eventLoopGroup: any EventLoopGroup
    let time: any TimeSource
    let logger: Logger
    let authorize: Authorization
    let accept: Acceptance
    let channelOpened: Opened

    var security: LinkSecurity?
    var isRunning = false
    var isShutDown = false
    var devices: [LongID: Device] = [:]
    var answers: [RequestKey: AnswerWaiter] = [:]
    var sessions: [ObjectIdentifier: ICESession] = [:]
    var treated = TreatedRequests()
    var limiters: [InfoHash: RateLimiter] = [:]
    var answering = 0
    var serial: UInt64 = 0
    var randomness = Randomness.secure
    private var listening: Task<Void, Never>?
    private var subscribers: [UInt64: AsyncStream<Event>.Continuation] = [:]

    public init(
        identity: DeviceIdentity,
        signalling: any Signalling,
        configuration: Configuration = Configuration(),
        eventLoopGroup: any EventLoopGroup,
        time: any TimeSource = SystemTime(),
        logger: Logger,
        authorize: @escaping Authorization,
        accept: @escaping Acceptance,
        opened: @escaping Opened
    ) {
        self.identity = identity
        self.signalling = signalling
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        self.time = time
        self.logger = logger
        self.authorize = authorize
        self.accept = accept
        channelOpened = opened
    }

    /// Starts to listen for requests.
    public func start() async {
        guard !isRunning, !isShutDown else { return }
        isRunning = true
        do {
            security = try LinkSecurity(identity: identity)
        } catch {
            logger.error("The identity is of no use for TLS", metadata: ["error": "\(error)"])
        }
        let messages = await signalling.incoming()
        // Ended by shutdown, which waits for it.
        listening = Task { [weak self] in
            for await message in messages { await self?.received(message) }
        }
    }

    /// Closes everything: TLS says goodbye on each connection before TCP closes.
    public func shutdown() async {
        guard !isShutDown else { return }
        isShutDown = true
        isRunning = false
        listening?.cancel()
        for waiter in answers.values { waiter.resume(returning: .failure(.shutDown)) }
        answers = [:]
        let open = devices.values.flatMap(\.connections)
        for device in Array(devices.keys) { failWaiters(of: device, with: .shutDown) }
        await withDiscardingTaskGroup { group in
            for connection in open { group.addTask { await connection.close() } }
        }
        for session in sessions.values { await session.close() }
        sessions = [:]
        await listening?.value
        for subscriber in subscribers.values { subscriber.finish() }
        subscribers = [:]
    }

    // MARK: Use

    /// Opens a channel, on the newest live connection to the device or on a new one.
    ///
    /// - Parameters:
    ///   - name: at most 1 KiB; what it means is between the two devices.
    ///   - device: the published certificates of the device.
    ///   - type: why a new connection is wanted, a hint for the peer's push service.
    /// - Returns: a channel that the peer has accepted.
    /// - Throws: why there is no connection, or what came of the request for a channel.
    public func open(
        _ name: String,
        to device: CertificateChain,
        type: String = ""
    ) async throws(PeerLinkError) -> PeerChannel {
        let connection = try await connection(to: device, type: type)
        return try await connection.open(name)
    }

    /// The newest live connection to a device, or a new one.
    public func connection(
        to device: CertificateChain,
        type: String = ""
    ) async throws(PeerLinkError) -> PeerConnection {
        guard isRunning, !isShutDown else { throw .shutDown }
        guard device.deviceID != identity.deviceID else { throw .ownDevice }
        guard isValid(device) else { throw .invalidDevice }
        for connection in (devices[device.deviceID]?.connections ?? []).reversed() {
            if await connection.isAlive { return connection }
        }
        serial += 1
        let waiter = serial
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: ConnectionWaiter) in
                devices[device.deviceID, default: Device()].waiters.append((waiter, continuation))
                request(device, type: type)
            }
        } onCancel: {
            // Ends after one step on this actor.
            Task { await self.cancelWaiter(waiter, of: device.deviceID) }
        }
        return try result.get()
    }

    func isValid(_ device: CertificateChain) -> Bool {
        (try? PeerRule.account(of: device, at: time.wallTime)) != nil
    }

    /// All live connections, oldest first for each device.
    public func connections() -> [PeerConnection] {
        devices.values.flatMap(\.connections).sorted { $0.id < $1.id }
    }

    /// Closes every connection to devices of an account, for instance after a ban.
    public func closeConnections(with account: InfoHash) async {
        let affected = connections().filter { $0.accountID == account }
        await withDiscardingTaskGroup { group in
            for connection in affected { group.addTask { await connection.close() } }
        }
    }

    /// Asks for a sign of life on every connection, when the network of this machine has changed.
    public func connectivityChanged() async {
        for connection in connections() { await connection.beacon() }
    }

    /// What happens from now on, for one consumer; the newest 256 events are kept for it.
    public func events() -> AsyncStream<Event> {
        serial += 1
        let subscriber = serial
        let (stream, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(256))
        guard !isShutDown else {
            continuation.finish()
            return stream
        }
        subscribers[subscriber] = continuation
        // Ends after one step on this actor.
        continuation.onTermination = { _ in Task { await self.unsubscribe(subscriber) } }
        return stream
    }

    private func unsubscribe(_ subscriber: UInt64) {
        subscribers[subscriber] = nil
    }

    private func publish(_ event: Event) {
        for subscriber in subscribers.values { subscriber.yield(event) }
    }

    // MARK: Attempts

    func began(with device: LongID) {
        devices[device, default: Device()].attempts += 1
    }

    func ended(with device: LongID, _ result: Result<PeerConnection, PeerLinkError>) async {
        guard var known = devices.removeValue(forKey: device) else { return }
        known.attempts -= 1
        switch result {
        case .success(let connection) where !isShutDown:
            let older = known.connections
            known.connections.append(connection)
            let waiters = known.waiters
            known.waiters = []
            devices[device] = known
            for waiter in waiters { waiter.continuation.resume(returning: .success(connection)) }
            publish(.connected(connection))
            for connection in older { await connection.beacon() }
            let excess = older.count + 1 - configuration.connectionsPerDevice
            for connection in older.prefix(max(0, excess)) { await connection.close() }
            if await !connection.isAlive { closed(connection) }
        case .success(let connection):
            devices[device] = known
            failWaiters(of: device, with: .shutDown)
            await connection.close()
        case .failure(let error):
            devices[device] = known
            if known.attempts == 0 { failWaiters(of: device, with: error) }
        }
    }

    func failWaiters(of device: LongID, with error: PeerLinkError) {
        let waiters = devices[device]?.waiters ?? []
        devices[device]?.waiters = []
        for waiter in waiters { waiter.continuation.resume(returning: .failure(error)) }
        forgetIfIdle(device)
    }

    private func cancelWaiter(_ waiter: UInt64, of device: LongID) {
        guard let index = devices[device]?.waiters.firstIndex(where: { $0.id == waiter }) else { return }
        devices[device]?.waiters.remove(at: index).continuation.resume(returning: .failure(.cancelled))
        forgetIfIdle(device)
    }

    func closed(_ connection: PeerConnection) {
        let device = connection.deviceID
        guard let index = devices[device]?.connections.firstIndex(where: { $0 === connection }) else { return }
        devices[device]?.connections.remove(at: index)
        forgetIfIdle(device)
        publish(.disconnected(connection))
    }

    func forgetIfIdle(_ device: LongID) {
        if devices[device]?.isForgettable == true { devices[device] = nil }
    }
}
