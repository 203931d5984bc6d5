public import ICE
public import Keys
import Logging
public import NIOCore
import NIOSSL
import Runtime
import Synchronization

/// A TLS connection to one device, with any number of channels in it.
///
/// Lives on the event loop of its socket. Source: peer connections protocol, "TLS", "Multiplexed socket".
public actor PeerConnection {
    /// Unique within this process; a higher number is a newer connection.
    public nonisolated let id: UInt64
    /// The certificates of the device at the other end.
    public nonisolated let chain: CertificateChain
    /// Whether this side has asked for the connection.
    public nonisolated let isInitiator: Bool
    public nonisolated let localAddress: TransportAddress?
    public nonisolated let remoteAddress: TransportAddress?
    public nonisolated let eventLoop: any EventLoop

    public nonisolated var deviceID: LongID { chain.deviceID }
    /// The account of the device.
    public nonisolated var accountID: InfoHash { chain.accountID ?? .zero }
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.executor.asUnownedSerialExecutor()
    }

    /// What the connection needs its owner for.
    struct Hooks: Sendable {
        /// The peer asks for a channel; true to accept.
        var accept: @Sendable (PeerConnection, String) async -> Bool
        /// A channel of the peer is open.
        var opened: @Sendable (PeerChannel) async -> Void
        /// The connection is over; called once.
        var closed: @Sendable (PeerConnection) -> Void
    }

    private enum State {
        case handshaking
        case ready
        case closed(PeerLinkError)
    }

    private typealias Opening = CheckedContinuation<Result<PeerChannel, PeerLinkError>, Never>

    private let channel: any Channel
    private let hooks: Hooks
    private let time: any TimeSource
    private let logger: Logger
    private let budget = Mutex(ReadBudget())
    private var state = State.handshaking
    private var isClosing = false
    private var multiplexer: Multiplexer
    private var inboxes: [UInt16: ByteInbox] = [:]
    private var openings: [UInt16: (name: String, waiter: Opening)] = [:]
    private var writers: [CheckedContinuation<Void, Never>] = []
    private var readiness: [CheckedContinuation<Void, Never>] = []
    private var wakeUp: Scheduled<Void>?
    private var wakeUpAt: Instant?
    private var stall: Scheduled<Void>?
    private var lastReceived: Instant

    /// How long a full socket may stay full before the connection counts as dead.
    static let stallTimeout: Duration = .seconds(120)
    /// After this much silence, opening a channel also asks for a sign of life.
    static let quietTime: Duration = .seconds(5)

    init(
        id: UInt64,
        channel: any Channel,
        chain: CertificateChain,
        isInitiator: Bool,
        handshakeTimeout: Duration,
        hooks: Hooks,
        time: any TimeSource,
        logger: Logger
    ) {
        self.id = id
        self.channel = channel
        self.chain = chain
        self.isInitiator = isInitiator
        self.hooks = hooks
        self.time = time
        self.logger = logger
        eventLoop = channel.eventLoop
        localAddress = channel.localAddress.flatMap(TransportAddress.init)
        remoteAddress = channel.remoteAddress.flatMap(TransportAddress.init)
        // The answerer of a connection request is the TLS client.
        multiplexer = Multiplexer(isClient: !isInitiator)
        lastReceived = time.now
        let delay = TimeAmount.nanoseconds(handshakeTimeout.wholeNanoseconds)
        eventLoop.scheduleTask(in: delay) { [weak self] in self?.assumeIsolated { $0.handshakeTimedOut() } }
    }

    // MARK: Facts from the pipeline

    func handshakeCompleted(isModern: Bool) {
        guard case .handshaking = state else { return }
        guard isModern else {
            fail(.insecure)
            return
        }
        state = .ready
        send(multiplexer.greeting())
        resumeReadiness()
    }

    private func handshakeTimedOut() {
        if case .handshaking = state { fail(.insecure) }
    }

    func received(_ bytes: ByteBuffer) {
        guard case .ready = state else { return }
        lastReceived = time.now
        perform(multiplexer.receive(bytes))
    }

    func writabilityChanged() {
        multiplexer.isWritable = channel.isWritable
        guard channel.isWritable else { return }
        stall?.cancel()
        stall = nil
        resumeWriters()
    }

    func failed(_ error: any Error) {
        logger.debug("Connection error", metadata: ["connection": "\(id)", "error": "\(error)"])
        if case .handshaking = state { fail(.insecure) }
    }

    func inactive() {
        if case .handshaking = state {
            fail(.insecure)
        } else {
            fail(.closed)
        }
    }

    // MARK: Orders from the multiplexer

    private func perform(_ effects: [Multiplexer.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes): send(bytes)
            case .requested(let number, let name): decide(number, name)
            case .opened(let number): opened(number)
            case .refused(let number, let refusal):
                refused(number, refusal)
            case .received(let number, let bytes): deliver(bytes, to: number)
            case .ended(let number): inboxes.removeValue(forKey: number)?.finish()
            case .close(let failure):
                logger.debug("Connection given up", metadata: ["connection": "\(id)", "reason": "\(failure)"])
                fail(.closed)
            }
        }
        arm()
    }

    private func send(_ bytes: [UInt8]) {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    private func decide(_ number: UInt16, _ name: String) {
        // Ends with the decision; the multiplexer bounds how many there are.
        Task {
            let isAccepted = await hooks.accept(self, name)
            if let channel = answer(number, name: name, accepting: isAccepted) { await hooks.opened(channel) }
        }
    }

    private func answer(_ number: UInt16, name: String, accepting: Bool) -> PeerChannel? {
        guard case .ready = state else { return nil }
        let (isOpen, effects) = multiplexer.answer(number, accepting: accepting)
        let channel = isOpen ? makeChannel(number, name: name, isIncoming: true) : nil
        perform(effects)
        return channel
    }

    private func makeChannel(_ number: UInt16, name: String, isIncoming: Bool) -> PeerChannel {
        let inbox = ByteInbox { [weak self] cost in self?.release(cost) }
        inboxes[number] = inbox
        return PeerChannel(name: name, connection: self, isIncoming: isIncoming, number: number, inbox: inbox)
    }

    private func opened(_ number: UInt16) {
        guard let opening = openings.removeValue(forKey: number) else { return }
        let channel = makeChannel(number, name: opening.name, isIncoming: false)
        opening.waiter.resume(returning: .success(channel))
    }

    private func refused(_ number: UInt16, _ refusal: Multiplexer.Refusal) {
        guard let opening = openings.removeValue(forKey: number) else { return }
        opening.waiter.resume(returning: .failure(refusal == .declined ? .declined : .unanswered))
        // A peer that does not answer may be gone; if it is not, it says so within seconds.
        if refusal == .timedOut { beacon() }
    }

    // MARK: Back-pressure

    private func deliver(_ bytes: [UInt8], to number: UInt16) {
        guard let inbox = inboxes[number] else { return }
        if budget.withLock({ $0.add(ByteInbox.cost(of: bytes)) }) { setReading(false) }
        inbox.deliver(bytes)
    }

    private nonisolated func release(_ cost: Int) {
        guard budget.withLock({ $0.release(cost) }) else { return }
        eventLoop.execute { self.assumeIsolated { $0.reconsiderReading() } }
    }

    private func reconsiderReading() {
        setReading(!budget.withLock { $0.isPaused })
    }

    private func setReading(_ isReading: Bool) {
        channel.setOption(.autoRead, value: isReading).whenFailure { _ in }
    }

    // MARK: Use

    /// Waits for the end of the TLS handshake.
    func established() async throws(PeerLinkError) {
        if case .handshaking = state { await withCheckedContinuation { readiness.append($0) } }
        if case .closed(let error) = state { throw error }
    }

    public var isAlive: Bool {
        if case .ready = state { !isClosing } else { false }
    }

    /// Asks the peer for a channel.
    func open(_ name: String) async throws(PeerLinkError) -> PeerChannel {
        guard isAlive else { throw .closed }
        guard name.utf8.count <= MultiplexLimits.nameSize else { throw .nameTooLong }
        let now = time.now
        guard let (number, effects) = multiplexer.open(name, now: now) else { throw .tooManyChannels }
        if now - lastReceived > Self.quietTime { beacon() }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Opening) in
                openings[number] = (name, continuation)
                perform(effects)
            }
        } onCancel: {
            eventLoop.execute { self.assumeIsolated { $0.cancelOpening(number) } }
        }
        return try result.get()
    }

    private func cancelOpening(_ number: UInt16) {
        guard let opening = openings.removeValue(forKey: number) else { return }
        perform(multiplexer.close(number))
        opening.waiter.resume(returning: .failure(.cancelled))
    }

    func write(_ bytes: [UInt8], to number: UInt16, inbox: ByteInbox) async throws(PeerLinkError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            await waitUntilWritable()
            guard isAlive, inboxes[number] === inbox else { throw .closed }
            let piece = rest.prefix(MultiplexLimits.messageSize)
            guard let message = multiplexer.write(piece, to: number) else { throw .closed }
            rest = rest.dropFirst(piece.count)
            send(message)
        }
    }

    private func waitUntilWritable() async {
        while isAlive, !channel.isWritable {
            await withCheckedContinuation { continuation in
                writers.append(continuation)
                guard stall == nil else { return }
                let delay = TimeAmount.nanoseconds(Self.stallTimeout.wholeNanoseconds)
                stall = eventLoop.scheduleTask(in: delay) { [weak self] in self?.assumeIsolated { $0.stalled() } }
            }
        }
    }

    private func stalled() {
        logger.debug("The peer does not read", metadata: ["connection": "\(id)"])
        fail(.closed)
    }

    func close(_ number: UInt16, inbox: ByteInbox) {
        guard inboxes[number] === inbox else { return }
        inboxes[number] = nil
        perform(multiplexer.close(number))
    }

    /// Closes a channel that nobody holds any more.
    nonisolated func forget(_ number: UInt16, inbox: ByteInbox) {
        eventLoop.execute { self.assumeIsolated { $0.close(number, inbox: inbox) } }
    }

    /// Asks the peer for a sign of life; without one within three seconds the connection is closed.
    public func beacon() {
        guard isAlive else { return }
        perform(multiplexer.beacon(now: time.now))
    }

    /// Says goodbye and closes; returns when the socket is closed, at most about a second later.
    public func close() async {
        shut()
        try? await channel.closeFuture.get()
    }

    // MARK: Ending

    /// Starts the goodbye: TLS tells the peer before TCP closes, since older peers notice nothing else.
    ///
    /// Source: peer connections protocol, "After completion".
    private func shut() {
        guard !isClosing else { return }
        isClosing = true
        setReading(true)
        release(.closed)
        channel.close(mode: .all, promise: nil)
    }

    private func fail(_ error: PeerLinkError) {
        if case .closed = state { return }
        let wasReady = if case .ready = state { true } else { false }
        if !isClosing {
            isClosing = true
            channel.close(mode: .all, promise: nil)
        }
        state = .closed(error)
        release(error)
        resumeReadiness()
        wakeUp?.cancel()
        if wasReady { hooks.closed(self) }
    }

    /// Answers everybody who waits.
    private func release(_ error: PeerLinkError) {
        let (waitingOpenings, open) = (openings.values.map(\.waiter), inboxes.values.map { $0 })
        openings = [:]
        inboxes = [:]
        for waiter in waitingOpenings { waiter.resume(returning: .failure(error)) }
        for inbox in open { inbox.finish() }
        stall?.cancel()
        stall = nil
        resumeWriters()
    }

    private func resumeWriters() {
        let waiting = writers
        writers = []
        for writer in waiting { writer.resume() }
    }

    private func resumeReadiness() {
        let waiting = readiness
        readiness = []
        for waiter in waiting { waiter.resume() }
    }

    // MARK: Time

    private func arm() {
        guard !isClosing, let deadline = multiplexer.nextDeadline else { return }
        if wakeUp != nil, let wakeUpAt, wakeUpAt <= deadline { return }
        wakeUp?.cancel()
        wakeUpAt = deadline
        let delay = TimeAmount.nanoseconds(max(0, (deadline - time.now).wholeNanoseconds))
        wakeUp = eventLoop.scheduleTask(in: delay) { [weak self] in self?.assumeIsolated { $0.woke() } }
    }

    private func woke() {
        wakeUp = nil
        perform(multiplexer.timerFired(now: time.now))
    }
}
