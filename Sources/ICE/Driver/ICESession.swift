public import Logging
public import NIOCore
import NIOPosix
public import Runtime

/// One negotiation on real sockets: listeners, dials and timers around an ``ICEAgent``.
///
/// Everything of a session runs on one event loop. The selected connection is an ordinary channel: what is read from its
/// pipeline is the peer's byte stream, what is written to it leaves in frames, and STUN stays inside. Closing that channel
/// ends the session, and ending the session closes that channel.
public actor ICESession {
    /// Prepares the pipeline of the selected channel, on its event loop, before the first byte is delivered.
    public typealias Preparation = @Sendable (any Channel) throws -> Void

    public nonisolated let eventLoop: any EventLoop
    public nonisolated let localDescription: ICEDescription
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.executor.asUnownedSerialExecutor()
    }

    private enum Outcome {
        case pending([CheckedContinuation<Result<any Channel, ICEError>, Never>])
        case known(Result<any Channel, ICEError>)
    }

    private let time: any TimeSource
    private let logger: Logger
    private let prepare: Preparation
    private var agent: ICEAgent
    private var listeners: [any Channel]
    private var handlers: [ICEAgent.ConnectionID: NIOLoopBound<ICEConnectionHandler>] = [:]
    private var acceptedCount = 0
    private var wakeUp: Scheduled<Void>?
    private var wakeUpAt: Instant?
    private var outcome = Outcome.pending([])
    private var isClosed = false

    /// Opens listeners and gathers this machine's candidates; the peer can be told ``localDescription`` afterwards.
    ///
    /// - Parameters:
    ///   - role: controlling for the answerer of a connection request, controlled for the requester.
    ///   - configuration: what the session needs to know about its surroundings.
    ///   - eventLoop: where everything of the session runs.
    ///   - time: the monotonic clock.
    ///   - randomness: for credentials and transactions.
    ///   - logger: for what goes wrong.
    ///   - prepare: adds the handlers that live above the byte stream.
    /// - Returns: a session that listens.
    /// - Throws: `ICEError.noAddresses`.
    public static func gather(
        role: ICEAgent.Role,
        configuration: ICEConfiguration,
        on eventLoop: any EventLoop,
        time: any TimeSource = SystemTime(),
        randomness: Randomness = .secure,
        logger: Logger,
        prepare: @escaping Preparation = { _ in }
    ) async throws(ICEError) -> ICESession {
        let gate = AcceptGate()
        let hosts = await HostAddresses.gather(allowsLoopback: configuration.allowsLoopback, on: eventLoop)
        var listeners: [any Channel] = []
        var addresses: [LocalAddress] = []
        for isIPv6 in [false, true] {
            let family = hosts.filter { $0.isIPv6 == isIPv6 }
            guard !family.isEmpty else { continue }
            guard let listener = await listen(isIPv6: isIPv6, gate: gate, on: eventLoop) else { continue }
            guard let port = listener.localAddress?.port.flatMap(UInt16.init(exactly:)) else { continue }
            listeners.append(listener)
            addresses += family.map { LocalAddress(host: $0, listeningPort: port) }
        }
        guard !addresses.isEmpty else { throw .noAddresses }
        let agent = ICEAgent(
            role: role,
            addresses: addresses,
            allowsLoopback: configuration.allowsLoopback,
            limits: configuration.limits,
            randomness: randomness
        )
        let session = ICESession(
            agent: agent,
            listeners: listeners,
            eventLoop: eventLoop,
            time: time,
            logger: logger,
            prepare: prepare
        )
        await session.open(gate)
        return session
    }

    private init(
        agent: ICEAgent,
        listeners: [any Channel],
        eventLoop: any EventLoop,
        time: any TimeSource,
        logger: Logger,
        prepare: @escaping Preparation
    ) {
        self.agent = agent
        self.listeners = listeners
        self.eventLoop = eventLoop
        self.time = time
        self.logger = logger
        self.prepare = prepare
        localDescription = agent.localDescription
    }

    private func open(_ gate: AcceptGate) {
        gate.session = NIOLoopBound(self, eventLoop: eventLoop)
    }

    /// Starts checks towards the peer's candidates.
    public func start(with remote: ICEDescription) {
        handle(.remoteDescription(remote))
    }

    /// Waits for the selected connection.
    public func selected() async throws(ICEError) -> any Channel {
        let result: Result<any Channel, ICEError> = await withCheckedContinuation { continuation in
            switch outcome {
            case .known(let result): continuation.resume(returning: result)
            case .pending(let waiting): outcome = .pending(waiting + [continuation])
            }
        }
        return try result.get()
    }

    /// Ends the session and closes every connection, the selected one included; harmless when repeated.
    public func close() {
        end(.closed)
    }

    // MARK: Facts from channels, on the event loop

    func accepted(_ handler: NIOLoopBound<ICEConnectionHandler>, local: TransportAddress, remote: TransportAddress) {
        guard !isClosed else {
            handler.value.close()
            return
        }
        acceptedCount += 1
        let id = ICEAgent.ConnectionID.accepted(acceptedCount)
        handler.value.id = id
        handlers[id] = handler
        handle(.accepted(id, local: local, remote: remote))
    }

    func handle(_ input: ICEAgent.Input) {
        guard !isClosed else { return }
        perform(agent.handle(input, now: time.now))
        arm()
    }

    func closed(_ id: ICEAgent.ConnectionID) {
        handlers[id] = nil
        handle(.closed(id))
    }

    // MARK: Orders from the agent

    private func perform(_ effects: [ICEAgent.Effect]) {
        for effect in effects {
            switch effect {
            case .connect(let id, let address): dial(id, to: address)
            case .send(let id, let message): handlers[id]?.value.send(message)
            case .close(let id): handlers.removeValue(forKey: id)?.value.close()
            case .stopListening: stopListening()
            case .selected(let id): select(id)
            case .deliver(let bytes): selectedHandler?.value.deliver(bytes)
            case .failed(let failure): end(.negotiation(failure))
            }
        }
    }

    private var selectedHandler: NIOLoopBound<ICEConnectionHandler>?

    private func select(_ id: ICEAgent.ConnectionID) {
        guard let handler = handlers[id], let channel = handler.value.channel else { return }
        selectedHandler = handler
        handler.value.isSelected = true
        do {
            try prepare(channel)
            resolve(.success(channel))
        } catch {
            logger.warning("Preparing the selected connection failed", metadata: ["error": "\(error)"])
            end(.closed)
        }
    }

    private func dial(_ id: ICEAgent.ConnectionID, to address: TransportAddress) {
        guard let target = address.socketAddress else {
            handle(.connectFailed(id))
            return
        }
        let session = self
        let eventLoop = self.eventLoop
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.nanoseconds(agent.limits.connectTimeout.wholeNanoseconds))
            .withSocketOptions()
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = ICEConnectionHandler(session: session, id: id)
                    try channel.pipeline.syncOperations.addHandler(handler)
                    let bound = NIOLoopBound(handler, eventLoop: eventLoop)
                    session.assumeIsolated { $0.dialling(id, bound) }
                }
            }
            .connect(to: target)
            .whenFailure { _ in session.assumeIsolated { $0.dialFailed(id) } }
    }

    private func dialling(_ id: ICEAgent.ConnectionID, _ handler: NIOLoopBound<ICEConnectionHandler>) {
        guard !isClosed else {
            handler.value.close()
            return
        }
        handlers[id] = handler
    }

    private func dialFailed(_ id: ICEAgent.ConnectionID) {
        handlers[id] = nil
        handle(.connectFailed(id))
    }

    private func stopListening() {
        for listener in listeners { listener.close(promise: nil) }
        listeners = []
    }

    private func end(_ error: ICEError) {
        guard !isClosed else { return }
        isClosed = true
        wakeUp?.cancel()
        wakeUp = nil
        stopListening()
        for handler in handlers.values { handler.value.close() }
        handlers = [:]
        selectedHandler = nil
        resolve(.failure(error))
    }

    private func resolve(_ result: Result<any Channel, ICEError>) {
        guard case .pending(let waiting) = outcome else { return }
        outcome = .known(result)
        for continuation in waiting { continuation.resume(returning: result) }
    }

    private func arm() {
        guard !isClosed, let deadline = agent.nextDeadline else { return }
        if let wakeUpAt, wakeUp != nil, wakeUpAt <= deadline { return }
        wakeUp?.cancel()
        wakeUpAt = deadline
        let delay = TimeAmount.nanoseconds(max(0, (deadline - time.now).wholeNanoseconds))
        let session = self
        wakeUp = eventLoop.scheduleTask(in: delay) { session.assumeIsolated { $0.woke() } }
    }

    private func woke() {
        wakeUp = nil
        handle(.timer)
    }

    // MARK: Listening

    private static func listen(isIPv6: Bool, gate: AcceptGate, on eventLoop: any EventLoop) async -> (any Channel)? {
        var bootstrap = ServerBootstrap(group: eventLoop, childGroup: eventLoop)
            .serverChannelOption(.backlog, value: 16)
            .withChildSocketOptions()
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let session = gate.session?.value else { throw ICEError.closed }
                    try channel.pipeline.syncOperations.addHandler(ICEConnectionHandler(session: session, id: nil))
                }
            }
        if isIPv6 {
            let only = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
            bootstrap = bootstrap.serverChannelOption(only, value: 1)
        }
        return try? await bootstrap.bind(host: isIPv6 ? "::" : "0.0.0.0", port: 0).get()
    }
}

/// Which session accepted connections belong to; set once, on the event loop, when the session exists.
///
/// `@unchecked`: the only stored property is read and written on the event loop of the session alone.
private final class AcceptGate: @unchecked Sendable {
    var session: NIOLoopBound<ICESession>?
}

/// What a session needs to know about its surroundings.
public struct ICEConfiguration: Sendable {
    /// Whether loopback addresses are candidates; for tests on one machine.
    public var allowsLoopback: Bool
    public var limits: ICELimits

    public init(allowsLoopback: Bool = false, limits: ICELimits = ICELimits()) {
        self.allowsLoopback = allowsLoopback
        self.limits = limits
    }
}

/// Why a session has no connection.
public enum ICEError: Error, Equatable, Sendable {
    /// No address of this machine can be told to a peer, or no listener could be opened.
    case noAddresses
    case negotiation(ICEFailure)
    /// The session was closed by its owner.
    case closed
}
