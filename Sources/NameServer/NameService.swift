import Ethereum
public import Logging
import NIOPosix
import NameRegistry
public import Runtime
import Synchronization

/// A name server without its sockets: decides on requests, asks the store and the chain, and answers.
///
/// Calls may come from any task; none blocks the caller's thread. ``stop()`` is called once, after the HTTP server.
/// Source: names protocol, "Registration" and "Modes".
public final class NameService: Sendable {
    public let store: any NameStore
    public let mode: ServerMode
    public let options: NameServerOptions
    let chain: (any ChainBackend)?
    let mirror: MirrorFollower?
    let time: any TimeSource
    let logger: Logger
    let counters = ServerCounters()
    let probe: ServerProbe
    let started: WallTime
    let requests: Admission
    let registrations: Admission
    private let verifiers: NIOThreadPool
    private let lookUpBuckets: Mutex<TokenBuckets<ClientKey>>
    private let registrationBuckets: Mutex<TokenBuckets<ClientKey>>

    /// A server on a store; the modes that use a chain need a backend.
    public init(
        store: any NameStore,
        mode: ServerMode = .sql,
        chain: (any ChainBackend)? = nil,
        mirror: MirrorFollower? = nil,
        options: NameServerOptions = NameServerOptions(),
        time: any TimeSource = SystemTime(),
        logger: Logger = Logger(label: "apus.names")
    ) {
        precondition(mode.usesChain == (chain != nil), "A mode with a chain needs one, a mode without takes none")
        self.store = store
        self.mode = mode
        self.chain = chain
        self.mirror = mirror
        self.options = options
        self.time = time
        self.logger = logger
        started = time.wallTime
        probe = ServerProbe(store: store, time: time)
        requests = Admission(limit: options.maximumRequests)
        registrations = Admission(limit: options.maximumRegistrations)
        verifiers = NIOThreadPool(numberOfThreads: max(1, options.verifierThreads))
        verifiers.start()
        lookUpBuckets = Mutex(
            TokenBuckets(
                rate: .init(perSecond: options.lookUpsPerSecond, burst: options.lookUpBurst),
                capacity: options.rememberedClients
            )
        )
        registrationBuckets = Mutex(
            TokenBuckets(
                rate: .init(perSecond: options.registrationsPerMinute / 60, burst: options.registrationBurst),
                capacity: options.rememberedClients
            )
        )
    }

    /// Ends the threads that check signatures; the store stays open.
    public func stop() async {
        try? await verifiers.shutdownGracefully()
    }

    /// Takes a token of a client: `nil`, or the seconds until there is one.
    func throttle(_ client: ClientKey, isRegistration: Bool) -> Int? {
        let now = time.now
        let wait =
            isRegistration
            ? registrationBuckets.withLock { $0.take(for: client, at: now) }
            : lookUpBuckets.withLock { $0.take(for: client, at: now) }
        return wait.map { max(1, Int($0.inSeconds.rounded(.up))) }
    }

    /// Runs a check of signatures on threads of its own.
    func verified<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await verifiers.runIfActive(body)
    }

    // MARK: Registering

    /// How an attempt to register has ended.
    enum RegistrationAnswer: Sendable {
        case registered
        case nameTaken(NameRecord)
        case accountTaken(NameRecord)
        /// Not acknowledged, whatever has become of it; a repetition is harmless.
        case notNow(reason: String, retryAfter: Int)
    }

    /// Registers what was checked already, and returns when it is durable to the degree that the mode asks for.
    func register(_ registration: Registration) async -> RegistrationAnswer {
        if let mirror {
            return .notNow(
                reason: "this server is a mirror and registers no names; ask \(mirror.origin)",
                retryAfter: 3_600
            )
        }
        do throws(NameStoreError) {
            guard mode.awaitsInclusion, let chain else {
                let outcome = try await store.register(registration, chained: mode.usesChain, at: time.wallTime)
                if mode.usesChain { chain?.outboxHasGrown() }
                return Self.answer(to: outcome)
            }
            return try await register(registration, awaiting: chain)
        } catch {
            return .notNow(reason: error.sentence, retryAfter: 10)
        }
    }

    private static func answer(to outcome: RegistrationOutcome) -> RegistrationAnswer {
        switch outcome {
        case .inserted, .identical: .registered
        case .nameTaken(let stored): .nameTaken(stored.record)
        case .accountTaken(let stored): .accountTaken(stored.record)
        }
    }

    private func register(
        _ registration: Registration,
        awaiting chain: any ChainBackend
    ) async throws(NameStoreError) -> RegistrationAnswer {
        // A repetition of what is on the chain is acknowledged even while the chain stands still.
        if let stored = try await store.find(registration.name), Self.isSame(stored, registration),
            chain.acknowledges(stored.state)
        {
            return .registered
        }
        if let stall = await chain.status().stall { return .notNow(reason: stall, retryAfter: 60) }
        guard !chain.requiresCommitments() else {
            let reason = "the council of this registry demands commitments: see /v2/commit and /v2/name/NAME"
            return .notNow(reason: reason, retryAfter: 3_600)
        }
        let outcome = try await store.register(registration, chained: true, at: time.wallTime)
        switch outcome {
        case .nameTaken(let stored): return .nameTaken(stored.record)
        case .accountTaken(let stored): return .accountTaken(stored.record)
        case .inserted, .identical: break
        }
        chain.outboxHasGrown()
        switch await inclusion(of: registration, on: chain) {
        case .included: return .registered
        case .conflict(let record):
            return record.name == registration.name ? .nameTaken(record) : .accountTaken(record)
        case .notYet(let reason): return .notNow(reason: reason, retryAfter: 30)
        }
    }

    private static func isSame(_ stored: StoredName, _ registration: Registration) -> Bool {
        stored.record.account == registration.account && stored.record.owner == registration.owner
    }

    private func inclusion(of registration: Registration, on chain: any ChainBackend) async -> InclusionOutcome {
        let patience = options.inclusionPatience
        let late = InclusionOutcome.notYet(
            reason: "the registration is stored, but not on the chain yet; send it again later"
        )
        return await withTaskGroup(of: InclusionOutcome.self) { group in
            group.addTask { await chain.waitUntilIncluded(registration) }
            group.addTask {
                try? await Task.sleep(for: patience)
                return late
            }
            let first = await group.next() ?? late
            group.cancelAll()
            return first
        }
    }
}

extension NameStoreError {
    /// What a client is told.
    var sentence: String {
        switch self {
        case .notWritable: "the server cannot store anything at the moment"
        case .unavailable: "the server's store is busy"
        case .damaged: "the server's store is damaged"
        case .closed: "the server is stopping"
        }
    }

    /// What the operator is told.
    var detail: String {
        switch self {
        case .notWritable(let reason), .unavailable(let reason), .damaged(let reason): reason
        case .closed: "the store is closed"
        }
    }
}
