package import Ethereum
public import Keys
package import Logging
public import NameRegistry
package import Runtime
import Synchronization

/// The chain side of a name server: follows the registry, brings registrations there, and answers about both.
///
/// One task, ``run()``, does the work in turns; everything else may be called from anywhere and returns at once or
/// waits with a deadline.
/// Source: names protocol, "Modes".
public final class ChainService: ChainBackend {
    package struct Configuration: Sendable {
        package var mode: ServerMode
        package var council: Address
        package var firstBlock: UInt64
        package var rule: FinalityRule
        package var blockTime: Duration
        /// How deep a registration must be to be acknowledged; `nil` for what is safe with the present registrars.
        package var depth: ModePolicy.Depth?
        package var reconciliationInterval = Duration.seconds(600)
        /// How long a relayed call may take to be sent.
        package var relayPatience = Duration.seconds(50)
        package var health = ChainHealth.Limits()

        package init(
            mode: ServerMode,
            council: Address,
            firstBlock: UInt64 = 0,
            rule: FinalityRule,
            blockTime: Duration
        ) {
            self.mode = mode
            self.council = council
            self.firstBlock = firstBlock
            self.rule = rule
            self.blockTime = blockTime
        }

        /// The time between two looks at a chain where nothing has happened.
        var pollInterval: Duration { min(max(blockTime / 4, .milliseconds(200)), .seconds(2)) }
    }

    struct Relay: Sendable {
        let call: RegistryCall
        let answer: @Sendable (Result<Word, ChainFailure>) -> Void
    }

    struct Shared: Sendable {
        var health: ChainHealth
        var policy: ModePolicy
        var head: ObservedBlock?
        var final: UInt64 = 0
        var journal = JournalState.empty
        var waits = InclusionWaits<CheckedContinuation<InclusionOutcome, Never>>()
        var relays: [Relay] = []
        var report: Reconciliation.Report?
        var lastEqual: Instant?
        var alarms = 0
        var mismatches = 0
        var refusal: String?
        var rollbacks = 0
        var requiresCommitments = false
        /// Whether it is known who writes to the registry.
        var isChecked = false
        var isStopped = false
    }

    let configuration: Configuration
    let store: any NameStore
    let chain: any RegistryChain
    let identity: Identity
    let proofs: (any ProofSource)?
    let time: any TimeSource
    let logger: Logger
    let shared: Mutex<Shared>
    let wakeup = Wakeup()

    /// Which registry this is.
    package struct Identity: Hashable, Sendable {
        package var chainID: UInt64
        package var store: Address

        package init(chainID: UInt64, store: Address) {
            self.chainID = chainID
            self.store = store
        }

        var text: String { "\(chainID)/\(store)" }
    }

    package init(
        _ configuration: Configuration,
        store: any NameStore,
        chain: any RegistryChain,
        identity: Identity,
        proofs: (any ProofSource)? = nil,
        time: any TimeSource = SystemTime(),
        logger: Logger = Logger(label: "apus.names.chain")
    ) {
        self.configuration = configuration
        self.store = store
        self.chain = chain
        self.identity = identity
        self.proofs = proofs
        self.time = time
        self.logger = logger
        let health = ChainHealth(blockTime: configuration.blockTime, started: time.now, limits: configuration.health)
        let policy = ModePolicy(mode: configuration.mode, depth: configuration.depth ?? .final)
        shared = Mutex(Shared(health: health, policy: policy))
    }

    // MARK: The backend

    public func status() async -> ChainStatus {
        let now = time.now
        let shared = shared.withLock { $0 }
        return ChainStatus(
            chainID: identity.chainID,
            council: configuration.council,
            store: identity.store,
            logic: proofs?.logic,
            head: shared.head?.number ?? 0,
            final: shared.final,
            lagSeconds: Int64(shared.health.age(now: now).inSeconds),
            stall: shared.health.stall(now: now),
            sequence: shared.journal.sequence,
            journal: shared.journal.head
        )
    }

    public func acknowledges(_ state: RegistrationState) -> Bool {
        state == .final || state == .included && shared.withLock { $0.policy.depth } == .included
    }

    public func shows(_ state: RegistrationState) -> Bool {
        let policy = shared.withLock { $0.policy }
        // With several writers, what is not final may still become somebody else's.
        return policy.mode != .chain || policy.depth == .included || state == .final
    }

    public func requiresCommitments() -> Bool {
        shared.withLock { $0.requiresCommitments }
    }

    public func outboxHasGrown() {
        wakeup.wake()
    }

    public func waitUntilIncluded(_ registration: Registration) async -> InclusionOutcome {
        if let outcome = await outcome(of: registration) { return outcome }
        let id = Mutex<UInt64?>(nil)
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<InclusionOutcome, Never>) in
                let added = shared.withLock { shared -> UInt64? in
                    guard !shared.isStopped, !Task.isCancelled else { return nil }
                    return shared.waits.add(registration, continuation)
                }
                guard let added else {
                    return continuation.resume(returning: .notYet(reason: "the server is busy or stopping"))
                }
                id.withLock { $0 = added }
                if Task.isCancelled { giveUp(added) }
            }
        } onCancel: {
            if let added = id.withLock({ $0 }) { giveUp(added) }
        }
        return outcome
    }

    private func giveUp(_ id: UInt64) {
        let waiter = shared.withLock { $0.waits.remove(id) }
        waiter?.resume(returning: .notYet(reason: "the registration is stored, but not on the chain yet"))
    }

    private func outcome(of registration: Registration) async -> InclusionOutcome? {
        let policy = shared.withLock { $0.policy }
        guard let stored = try? await store.find(registration.name) else {
            guard let other = try? await store.find(registration.account) else { return nil }
            return .conflict(other.record)
        }
        return policy.outcome(of: registration, stored: stored)
    }

    public func proof(of name: Name, at block: UInt64?) async throws(ChainFailure) -> String {
        guard let proofs else { throw .unavailable(reason: "this chain has no proofs") }
        return try await proofs.proof(of: name, at: try provable(block), stored: try await stored(name))
    }

    public func proof(of account: InfoHash, at block: UInt64?) async throws(ChainFailure) -> String {
        guard let proofs else { throw .unavailable(reason: "this chain has no proofs") }
        guard let stored = try await stored(account) else {
            return try await proofs.proof(ofUnnamed: account, at: try provable(block))
        }
        return try await proofs.proof(
            of: stored.record.name,
            account: account,
            at: try provable(block),
            stored: stored
        )
    }

    private func stored(_ name: Name) async throws(ChainFailure) -> StoredName? {
        do throws(NameStoreError) {
            return try await store.find(name)
        } catch {
            throw .unavailable(reason: "the store cannot be read")
        }
    }

    private func stored(_ account: InfoHash) async throws(ChainFailure) -> StoredName? {
        do throws(NameStoreError) {
            return try await store.find(account)
        } catch {
            throw .unavailable(reason: "the store cannot be read")
        }
    }

    private func provable(_ block: UInt64?) throws(ChainFailure) -> UInt64 {
        let final = shared.withLock { $0.final }
        guard final > 0 else { throw .unavailable(reason: "no block is final yet") }
        guard block ?? final <= final else { throw .unknownBlock }
        return block ?? final
    }

    public func gauges() -> [ChainGauge] {
        let now = time.now
        let shared = shared.withLock { $0 }
        var gauges = [
            ChainGauge("alarms", "Times that something did not fit", shared.alarms),
            ChainGauge("journal_mismatches", "Times that logs did not hash to the journal", shared.mismatches),
            ChainGauge("writing_refused", "Whether the chain refuses this server", shared.refusal == nil ? 0 : 1),
            ChainGauge("rollbacks", "Reorganisations that were followed", shared.rollbacks),
        ]
        if let report = shared.report {
            gauges.append(ChainGauge("reconciled", "Whether the last comparison was equal", report.isEqual ? 1 : 0))
        }
        if let lastEqual = shared.lastEqual {
            let age = Int((now - lastEqual).inSeconds)
            gauges.append(ChainGauge("last_equal_seconds", "Seconds since a comparison was equal", age))
        }
        return gauges
    }
}
