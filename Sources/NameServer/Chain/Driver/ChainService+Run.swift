import Ethereum
import Logging
import NameRegistry
import Runtime
import Synchronization

/// Why the chain side of a server does not start.
package enum ChainStartError: Error, Hashable, Sendable {
    /// What is stored was read from another chain or registry.
    case otherRegistry(stored: String, found: String)
    /// Registrations that were acknowledged on the store's word alone are not on the chain yet.
    case unfinishedOutbox(count: Int)
    case refused(ChainAlarm)
    case unreachable(reason: String)
    case store(reason: String)
}

extension ChainStartError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .otherRegistry(let stored, let found):
            """
            The stored names were read from the registry \(stored), the node serves \(found). Point --rpc and --council \
            to the same registry again, or move the names there with “apus names migrate to-chain”.
            """
        case .unfinishedOutbox(let count):
            """
            \(count) acknowledged registrations have not reached the chain yet. Run the server in the mode “shadow” until \
            its outbox is empty, then change the mode.
            """
        case .refused(let alarm): "\(alarm)"
        case .unreachable(let reason): "No node of the chain answers as it should: \(reason)."
        case .store(let reason): "The stored names cannot be read or written: \(reason)."
        }
    }
}

extension ChainService {
    /// Checks that the mode is safe with what is stored and who else writes; run before ``run()``.
    ///
    /// Where no node answers, `asksChain` is false: who else writes is then checked later, and nothing is written to the
    /// chain before.
    package func prepare(asksChain: Bool = true) async throws(ChainStartError) {
        let trouble: ChainStartError?
        do {
            let (found, mode) = (identity.text, configuration.mode)
            trouble = try await store.read { try Self.trouble(with: found, mode, in: $0) }
        } catch {
            throw .store(reason: "\(error)")
        }
        if let trouble { throw trouble }
        if asksChain {
            let alarm: ChainAlarm?
            do throws(ChainReadError) {
                alarm = try await check()
            } catch {
                throw .unreachable(reason: "\(error)")
            }
            if let alarm, case .otherRegistrar = alarm { throw .refused(alarm) }
        }
        do {
            let (found, mode) = (identity.text, configuration.mode)
            try await store.write { writer in
                try writer.set(found, for: ChainSetting.identity)
                try writer.set(mode.rawValue, for: ChainSetting.mode)
            }
        } catch {
            throw .store(reason: "\(error)")
        }
    }

    private static func trouble(
        with found: String,
        _ mode: ServerMode,
        in reader: any NameStoreReader
    ) throws -> ChainStartError? {
        if let stored = try reader.setting(ChainSetting.identity), stored != found {
            return .otherRegistry(stored: stored, found: found)
        }
        let last = try reader.setting(ChainSetting.mode).flatMap { ServerMode(rawValue: $0) }
        if mode.awaitsInclusion, last?.awaitsInclusion != true {
            let counts = try reader.outboxCounts()
            let open = (counts[.queued] ?? 0) + (counts[.sent] ?? 0)
            if open > 0 { return .unfinishedOutbox(count: open) }
        }
        return nil
    }

    /// Asks the chain who writes, and what the council asks of registrations.
    private func check() async throws(ChainReadError) -> ChainAlarm? {
        let registrars = try await chain.registrars()
        let latest = try await chain.latest()
        let requiresCommitments = try await chain.requiresCommitments()
        let (now, wallTime) = (time.now, time.wallTime)
        shared.withLock { shared in
            shared.isChecked = true
            shared.requiresCommitments = requiresCommitments
            shared.health.observe(head: latest.number, time: latest.time, now: now, wallTime: wallTime)
        }
        return takeRegistrars(registrars)
    }

    /// Whether the chain has been asked who writes; asks where it has not.
    private func isChecked() async -> Bool {
        if shared.withLock({ $0.isChecked }) { return true }
        do throws(ChainReadError) {
            if let alarm = try await check() {
                shared.withLock { $0.alarms += 1 }
                logger.critical("\(alarm)")
            }
            return true
        } catch {
            logger.info("The chain was not asked who writes", metadata: ["reason": "\(error)"])
            return false
        }
    }

    /// Notes who may write; what that means for this server's mode.
    @discardableResult private func takeRegistrars(_ registrars: Set<Address>) -> ChainAlarm? {
        let own = chain.registrar
        let depth = configuration.depth ?? (registrars.subtracting([own]).isEmpty ? .included : .final)
        return shared.withLock { shared in
            shared.policy.depth = depth
            return shared.policy.alarm(registrars: registrars, own: own)
        }
    }

    /// Follows and writes until the task is cancelled; every waiter is answered then.
    public func run() async {
        var follower = ChainFollower(
            ChainFollower.Configuration(
                firstBlock: configuration.firstBlock,
                rule: configuration.rule,
                mode: configuration.mode
            ),
            store: store,
            chain: chain
        )
        var worker = OutboxWorker(
            store: store,
            chain: chain,
            blockTime: configuration.blockTime,
            time: time,
            randomness: .secure
        )
        var nextComparison = time.now
        while !Task.isCancelled {
            guard await isChecked() else {
                await answerWaiting()
                await wakeup.sleep(for: configuration.pollInterval)
                continue
            }
            let hasMore = await follow(&follower)
            await write(&worker)
            await answerWaiting()
            if !hasMore, time.now >= nextComparison, let head = follower.head, follower.finalBlock != nil {
                nextComparison = time.now + configuration.reconciliationInterval
                await compare(follower, head: head)
            }
            if !hasMore { await wakeup.sleep(for: configuration.pollInterval) }
        }
        finish()
    }

    private func finish() {
        let (waiters, relays) = shared.withLock { shared in
            shared.isStopped = true
            defer { shared.relays = [] }
            return (shared.waits.removeAll(), shared.relays)
        }
        for waiter in waiters { waiter.resume(returning: .notYet(reason: "the server is stopping")) }
        for relay in relays { relay.answer(.failure(.unavailable(reason: "the server is stopping"))) }
    }

    /// Follows a part of the chain; `true` when there is more at once.
    private func follow(_ follower: inout ChainFollower) async -> Bool {
        var hasMore = false
        do {
            hasMore = try await follower.turn(at: time.wallTime)
        } catch {
            logger.info("The chain was not followed", metadata: ["reason": "\(error)"])
        }
        let (now, wallTime) = (time.now, time.wallTime)
        let alarm = follower.alarm
        await readRules(follower.head)
        let isNew = shared.withLock { [follower] shared in
            if let latest = follower.latest {
                shared.health.observe(head: latest.number, time: latest.time, now: now, wallTime: wallTime)
            }
            if let final = follower.finalBlock {
                shared.health.observe(final: final, now: now)
                shared.final = final
            }
            let isNew = alarm != nil && shared.health.alarm != alarm
            if isNew {
                shared.alarms += 1
                if case .journalMismatch = alarm { shared.mismatches += 1 }
            }
            shared.health.observe(alarm: alarm)
            shared.head = follower.head ?? shared.head
            shared.journal = follower.journal
            shared.rollbacks = follower.rollbacks
            return isNew
        }
        if isNew, let alarm { logger.critical("\(alarm)") }
        return hasMore && alarm == nil
    }

    /// Reads what the council asks of registrations, once for each new block.
    private func readRules(_ head: ObservedBlock?) async {
        guard let head, head != shared.withLock({ $0.head }),
            let requiresCommitments = try? await chain.requiresCommitments()
        else { return }
        shared.withLock { $0.requiresCommitments = requiresCommitments }
    }

    private func write(_ worker: inout OutboxWorker) async {
        guard shared.withLock({ $0.health.alarm }) == nil else { return }
        let relays = shared.withLock { shared in
            defer { shared.relays = [] }
            return shared.relays
        }
        do {
            let hashes = try await worker.turn(relaying: relays.map(\.call))
            for (relay, hash) in zip(relays, hashes) {
                let trouble = worker.refusal ?? "no node takes it"
                relay.answer(hash.map { .success($0) } ?? .failure(.unavailable(reason: trouble)))
            }
        } catch {
            logger.warning("The outbox was not emptied", metadata: ["reason": "\(error)"])
            for relay in relays { relay.answer(.failure(.unavailable(reason: "the store does not take writes"))) }
        }
        let refusal = worker.refusal ?? worker.hindrance
        let isNew = shared.withLock { shared in
            defer { shared.refusal = refusal }
            guard refusal != nil, shared.refusal == nil else { return false }
            shared.alarms += 1
            return true
        }
        if isNew, let refusal { logger.critical("\(ChainAlarm.writingRefused(reason: refusal))") }
    }

    private func answerWaiting() async {
        let (waiting, policy) = shared.withLock { ($0.waits.registrations, $0.policy) }
        guard !waiting.isEmpty else { return }
        let now = time.now
        let stall = shared.withLock { $0.health.stall(now: now) }
        let outcomes = try? await store.read { reader in
            var outcomes: [(UInt64, InclusionOutcome)] = []
            for (id, registration) in waiting {
                let stored = try reader.find(registration.name)
                if stored == nil, let other = try reader.find(registration.account) {
                    outcomes.append((id, .conflict(other.record)))
                } else if let outcome = policy.outcome(of: registration, stored: stored) {
                    outcomes.append((id, outcome))
                } else if let stall {
                    outcomes.append((id, .notYet(reason: stall)))
                }
            }
            return outcomes
        }
        for (id, outcome) in outcomes ?? [] {
            let waiter = shared.withLock { $0.waits.remove(id) }
            waiter?.resume(returning: outcome)
        }
    }

    private func compare(_ follower: ChainFollower, head: ObservedBlock) async {
        guard let final = follower.finalBlock else { return }
        do {
            takeRegistrars(try await chain.registrars())
            let block = try await chain.block(final)
            guard let onChain = try await chain.journal(at: block) else { return }
            let reconciler = Reconciler(store: store, mode: configuration.mode)
            let report = try await reconciler.run(block: final, onChain: onChain, at: time.wallTime)
            let now = time.now
            shared.withLock { shared in
                shared.report = report
                if report.isEqual { shared.lastEqual = now } else { shared.alarms += 1 }
            }
            if !report.isEqual {
                logger.critical(
                    "The store and the chain differ",
                    metadata: [
                        "block": "\(final)", "different": "\(report.different.prefix(10))",
                        "forgotten": "\(report.forgotten.prefix(10))", "missing": "\(report.missing.prefix(10))",
                        "conflicts": "\(report.unresolvedConflicts)",
                    ]
                )
            }
        } catch {
            logger.info("The store was not compared with the chain", metadata: ["reason": "\(error)"])
        }
    }
}
