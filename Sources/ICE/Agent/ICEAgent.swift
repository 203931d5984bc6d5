public import NIOCore
public import Runtime

/// One negotiation of ICE over TCP with host candidates, as a pure state machine.
///
/// Facts go in through ``handle(_:now:)``, orders come out. The agent dials every passive candidate of the peer, answers
/// checks on the connection they arrive on, checks back over the same connection, and ends with exactly one selected
/// connection or a failure. Roles are fixed by who asked for the connection and never change.
/// Source: RFC 8445, RFC 6544; peer connections protocol, "ICE".
public struct ICEAgent: Sendable {
    public enum Role: Hashable, Sendable {
        /// The answerer, which nominates and speaks first.
        case controlling
        /// The requester, which accepts the first application bytes as the decision.
        case controlled
    }

    public enum ConnectionID: Hashable, Sendable {
        /// Opened by this side; numbered by the agent.
        case dialled(Int)
        /// Accepted on a listener; numbered by the driver.
        case accepted(Int)
    }

    public enum Input: Sendable {
        case remoteDescription(ICEDescription)
        case connected(ConnectionID, local: TransportAddress)
        case connectFailed(ConnectionID)
        case accepted(ConnectionID, local: TransportAddress, remote: TransportAddress)
        case frame(ConnectionID, ByteBuffer)
        case closed(ConnectionID)
        case timer
    }

    public enum Effect: Equatable, Sendable {
        case connect(ConnectionID, to: TransportAddress)
        /// Send one frame with a STUN message.
        case send(ConnectionID, [UInt8])
        case close(ConnectionID)
        case stopListening
        /// The negotiation is over; application bytes belong on this connection from now on.
        case selected(ConnectionID)
        /// The next application bytes of the selected connection.
        case deliver(ByteBuffer)
        /// Nothing was selected, or the selected connection is gone. Final.
        case failed(ICEFailure)
    }

    enum Phase: Equatable, Sendable {
        /// The peer's description has not arrived; its checks may have.
        case waiting
        case checking
        case selected(ConnectionID)
        case failed
    }

    enum Timer: Equatable, Sendable {
        case dialNext
        case connectTimeout(ConnectionID, dial: Int)
        case redial(ConnectionID)
        case checkTimeout(ConnectionID, STUNTransaction)
        case authentication(ConnectionID)
        case nominate
        case giveUp
        case firstBytes
        case outOfTime
        case keepalive
        case closeOthers
    }

    public let role: Role
    public let localDescription: ICEDescription
    public let limits: ICELimits

    let allowsLoopback: Bool
    let tieBreaker: UInt64
    var randomness: Randomness
    var phase = Phase.waiting
    var remote: ICEDescription?
    var connections: [Connection] = []
    var timers = DeadlineQueue<Timer>()
    var nominating: ConnectionID?
    /// When to fail because nothing is left that could succeed; `nil` while something is.
    var giveUpAt: Instant?
    /// Whether the peer has nominated, so that only its first bytes are missing.
    var isNominated = false
    var effects: [Effect] = []

    /// An agent with fresh credentials.
    ///
    /// - Parameters:
    ///   - role: controlling for the answerer of a connection request, controlled for the requester.
    ///   - addresses: where this machine listens, the preferred address first.
    ///   - allowsLoopback: whether loopback candidates of the peer are dialled.
    ///   - limits: times and bounds.
    ///   - randomness: for credentials, transactions and the times of keepalives.
    public init(
        role: Role,
        addresses: [LocalAddress],
        allowsLoopback: Bool = false,
        limits: ICELimits = ICELimits(),
        randomness: Randomness
    ) {
        self.role = role
        self.allowsLoopback = allowsLoopback
        self.limits = limits
        var randomness = randomness
        let (fragment, password) = ICEDescription.credentials(using: &randomness)
        tieBreaker = randomness.next()
        self.randomness = randomness
        localDescription = ICEDescription(
            usernameFragment: fragment,
            password: password,
            candidates: ICEDescription.hostCandidates(addresses)
        )
    }

    /// When ``Input/timer`` is due next.
    public var nextDeadline: Instant? { timers.next }

    /// Takes one fact in and answers what is to be done about it, in order.
    public mutating func handle(_ input: Input, now: Instant) -> [Effect] {
        switch input {
        case .remoteDescription(let description): start(description, now: now)
        case .connected(let id, let local): connected(id, local: local, now: now)
        case .connectFailed(let id): connectFailed(id, now: now)
        case .accepted(let id, let local, let remote): accepted(id, local: local, remote: remote, now: now)
        case .frame(let id, let payload): received(payload, on: id, now: now)
        case .closed(let id): closed(id, now: now)
        case .timer: while let timer = timers.popDue(at: now) { expired(timer, now: now) }
        }
        defer { effects.removeAll(keepingCapacity: true) }
        return effects
    }

    private mutating func expired(_ timer: Timer, now: Instant) {
        switch timer {
        case .dialNext: dialNext(now: now)
        case .connectTimeout(let id, let dial): connectTimedOut(id, dial: dial, now: now)
        case .redial(let id): redial(id, now: now)
        case .checkTimeout(let id, let transaction): checkTimedOut(id, transaction, now: now)
        case .authentication(let id): authenticationDue(id)
        case .nominate: nominateBest(now: now)
        case .giveUp: giveUpDue(now: now)
        case .firstBytes: if phase == .waiting || phase == .checking { fail(.peerSilent) }
        case .outOfTime: if phase == .checking { fail(isNominated ? .peerSilent : .noValidPair) }
        case .keepalive: sendKeepalive(now: now)
        case .closeOthers: closeOthers()
        }
    }
}

/// Why a negotiation ended without a connection, or lost the one it had.
public enum ICEFailure: Error, Equatable, Sendable {
    /// No candidate of the peer can be tried and none of its connections came in.
    case noValidPair
    /// Checks succeeded, but the controlling peer nominated nothing in time.
    case noNomination
    /// The peer nominated a connection and then sent nothing.
    case peerSilent
    /// The selected connection was closed.
    case connectionLost
}

/// Times and bounds of a negotiation.
///
/// Source: peer connections protocol, "Failure budget"; RFC 8445 §14.
public struct ICELimits: Sendable {
    /// Between two dials.
    public var pacing: Duration = .milliseconds(50)
    /// For one TCP connection attempt.
    public var connectTimeout: Duration = .seconds(15)
    /// For the answer to one check.
    public var checkTimeout: Duration = .seconds(8)
    /// Between attempts to reach a relay that has no permission for us yet.
    public var relayRetryDelay: Duration = .milliseconds(500)
    public var relayRetries = 24
    /// For connections or a nomination by the peer when nothing of our own is left to try.
    public var passiveWait: Duration = .seconds(10)
    /// How long a valid relayed pair waits for a better one.
    public var nominationDelay: Duration = .milliseconds(400)
    /// From nomination to the first application bytes.
    public var firstBytesWait: Duration = .seconds(40)
    /// From the peer's description to the end of the negotiation, whatever the peer does.
    public var total: Duration = .seconds(75)
    /// How long connections that were not selected stay open.
    public var linger: Duration = .seconds(3)
    public var keepalive: ClosedRange<Duration> = .seconds(20) ... .seconds(24)
    /// Accepted connections of one session, living at the same time.
    public var acceptedConnections = 64
    /// How long an accepted connection may go without an authentic check.
    public var unauthenticatedTime: Duration = .seconds(15)
    /// Checks that are answered on one connection before selection.
    public var requestsPerConnection = 256
    /// Frames on one connection that are malformed or not authentic.
    public var badFramesPerConnection = 8

    public init() {}
}
