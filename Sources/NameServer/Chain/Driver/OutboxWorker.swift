package import Ethereum
import Keys
import NameRegistry
package import Runtime

/// Brings what waits in the store's outbox to the chain.
///
/// Everything that it sends is stored before, so that a crash at any point repeats at most what contracts refuse.
package struct OutboxWorker: Sendable {
    private let store: any NameStore
    private let chain: any RegistryChain
    private let blockTime: Duration
    private let limits: OutboxCore.Limits
    private let time: any TimeSource
    private var randomness: Randomness
    private var core: OutboxCore?
    /// The last queued entry that was read; reading begins anew behind the newest one.
    private var lastQueued: Int64 = 0
    private var lastSight: Sight?
    private var relayedCalls: [UInt64: RegistryCall] = [:]
    private var lastRelay: UInt64 = 0
    /// Registrations that were sent, and fillers and relays.
    package private(set) var submissions = 0

    package init(
        store: any NameStore,
        chain: any RegistryChain,
        blockTime: Duration,
        time: any TimeSource,
        randomness: Randomness,
        limits: OutboxCore.Limits = OutboxCore.Limits()
    ) {
        self.store = store
        self.chain = chain
        self.blockTime = blockTime
        self.time = time
        self.randomness = randomness
        self.limits = limits
    }

    /// Why nothing is sent at present.
    package var refusal: String? { core?.refusal }
    /// Why a part of it is not sent at present.
    package var hindrance: String? { core?.hindrance }

    /// Looks at what has changed, and sends what is due.
    ///
    /// - Parameter calls: Calls to bring to the chain for somebody else.
    /// - Returns: The hash of each call's transaction; `nil` for one that could not be sent.
    /// - Throws: What the store throws; then the next turn begins with what is stored.
    @discardableResult package mutating func turn(relaying calls: [RegistryCall] = []) async throws -> [Word?] {
        var core = try await loaded()
        // Whatever fails below leaves no core, so that it is loaded from what was stored.
        self.core = nil
        try await refresh(&core)
        try await store(core.takeChanges(), of: core)
        try await examine(&core)
        let relays = await admit(calls, to: &core)
        let sent = try await send(&core)
        relayedCalls = relayedCalls.filter { core.relayIDs.contains($0.key) }
        self.core = core
        return relays.map { relay in relay.flatMap { sent[$0] } }
    }

    private mutating func admit(_ calls: [RegistryCall], to core: inout OutboxCore) async -> [UInt64?] {
        var ids: [UInt64?] = []
        for call in calls {
            guard case .gas(let gas) = try? await chain.estimate(call) else {
                ids.append(nil)
                continue
            }
            lastRelay += 1
            let isTaken = core.admit(relay: lastRelay, gas: gas, now: time.now)
            if isTaken { relayedCalls[lastRelay] = call }
            ids.append(isTaken ? lastRelay : nil)
        }
        return ids
    }

    // MARK: Facts of the store

    /// What the store has followed of the chain: while it is the same, so are the states of the names.
    private struct Sight: Hashable, Sendable {
        var head: Word?
        var finalSequence: UInt64?

        init(_ reader: any NameStoreReader) throws {
            head = try reader.chainHeads(limit: 1).first?.hash
            finalSequence = try reader.number(ChainSetting.finalSequence)
        }
    }

    private typealias Loaded = (entry: OutboxEntry, registration: Registration)

    private mutating func loaded() async throws -> OutboxCore {
        if let core { return core }
        let nonce = try await store.read { reader in try reader.number(ChainSetting.nextNonce) ?? 0 }
        let seed = randomness.next()
        var core = OutboxCore(
            nextNonce: nonce,
            blockTime: blockTime,
            randomness: .seeded(seed),
            limits: limits
        )
        (lastQueued, lastSight) = (0, nil)
        var last: Int64? = 0
        while let after = last {
            let (entries, next) = try await read([.sent, .included], after: after)
            core.load(entries)
            last = next
        }
        return core
    }

    /// A page of the outbox, and where the next one begins if there is one.
    private func read(
        _ states: [OutboxEntry.State],
        after id: Int64
    ) async throws -> (entries: [Loaded], next: Int64?) {
        let limit = limits.page
        return try await store.read { reader in
            let page = try reader.outbox(in: states, after: id, limit: limit)
            let entries = try page.compactMap { entry in
                try Self.registration(of: entry, in: reader).map { (entry: entry, registration: $0) }
            }
            return (entries, page.count < limit ? nil : page.last?.id)
        }
    }

    /// Takes as many new entries as can be sent now, and how far those on their way have got.
    private mutating func refresh(_ core: inout OutboxCore) async throws {
        let appetite = core.appetite(now: time.now)
        if appetite > 0 {
            let (entries, next) = try await read([.queued], after: lastQueued)
            let known = Set(core.ids)
            let fresh = entries.filter { !known.contains($0.entry.id) }
            core.load(Array(fresh.prefix(appetite)))
            // Entries may be queued again, so that reading begins anew once the end was reached.
            lastQueued = fresh.count > appetite ? fresh[appetite - 1].entry.id : next ?? 0
            try await note(Set(fresh.prefix(appetite).map(\.entry.id)), in: &core)
        }
        let sight = try await store.read { try Sight($0) }
        guard sight != lastSight else { return }
        try await note(Set(core.ids), in: &core)
        lastSight = sight
    }

    /// Notes how far registrations have got, reading a page of them at a time.
    private func note(_ ids: Set<Int64>, in core: inout OutboxCore) async throws {
        let wanted = ids.sorted().compactMap { id in core.registration(id).map { (id, $0) } }
        for start in stride(from: 0, to: wanted.count, by: limits.page) {
            let page = wanted[start..<min(start + limits.page, wanted.count)]
            let progress = try await store.read { reader in
                try page.map { id, registration in (id, try Self.progress(of: registration, in: reader)) }
            }
            for (id, progress) in progress { core.note(progress, for: id) }
        }
    }

    /// What an entry of the outbox brings to the chain.
    private static func registration(
        of entry: OutboxEntry,
        in reader: any NameStoreReader
    ) throws -> Registration? {
        guard let accepted = try reader.localLog(from: entry.localSequence, limit: 1).first?.operation,
            accepted.sequence == entry.localSequence, accepted.kind == .register, let account = accepted.account
        else { return nil }
        let evidence = accepted.evidenceDigest.isZero ? nil : try reader.evidence(accepted.evidenceDigest)
        return Registration(name: accepted.name, account: account, owner: accepted.owner, evidence: evidence)
    }

    private static func progress(
        of registration: Registration,
        in reader: any NameStoreReader
    ) throws -> OutboxProgress {
        guard let stored = try reader.find(registration.name) else { return .displaced }
        if stored.record != NameRecord(registration) {
            // An owner may have changed it on the chain since, or somebody else had it first.
            let history = ChainReplay(try reader.chainOperations(of: registration.name).map(\.operation))
            guard history.states.contains(NameRecord(registration)) else { return .displaced }
            return .final(block: stored.block ?? 0)
        }
        switch stored.state {
        case .accepted, .sent: return .waiting
        case .included: return .included(block: stored.block ?? 0)
        case .final: return .final(block: stored.block ?? 0)
        case .conflict: return .displaced
        }
    }

    private func store(_ entries: [OutboxEntry], of core: OutboxCore) async throws {
        guard !entries.isEmpty else { return }
        let names = entries.compactMap { entry in
            entry.state == .sent ? core.registration(entry.id)?.name : nil
        }
        let nonce = core.nextNonce
        try await store.write { writer in
            for entry in entries { try writer.update(entry) }
            for name in names where try writer.find(name)?.state == .accepted {
                try writer.setState(.sent, block: nil, of: name)
            }
            try writer.set(String(nonce), for: ChainSetting.nextNonce)
        }
    }

    // MARK: The chain

    private func examine(_ core: inout OutboxCore) async throws {
        for id in core.examinations(now: time.now) {
            guard let registration = core.registration(id) else { continue }
            let finding = try await finding(for: registration)
            core.examined(id, as: finding, now: time.now)
            if finding == .unreachable { return }
        }
        try await store(core.takeChanges(), of: core)
    }

    private func finding(for registration: Registration) async throws -> OutboxFinding {
        let call = try await call(for: registration)
        do throws(ChainReadError) {
            if let record = try await chain.record(of: registration.name) {
                return record == NameRecord(registration) ? .present : .contrary
            }
            if try await chain.name(of: registration.account) != nil { return .contrary }
            switch try await chain.estimate(call) {
            case .gas(let gas): return .absent(gas: gas)
            case .reverts(let message): return .refused(RegistryRefusal(message: message))
            }
        } catch {
            return .unreachable
        }
    }

    private func call(for registration: Registration) async throws -> RegistryCall {
        let secret = try await store.read { reader in try reader.setting(ChainSetting.secret(of: registration.name)) }
        return secret.flatMap { Word(hex: $0) }.map { .reveal(registration, secret: $0) } ?? .register(registration)
    }

    /// Sends what is due; the hashes of relayed calls by their numbers.
    private mutating func send(_ core: inout OutboxCore) async throws -> [UInt64: Word] {
        let count: UInt64
        let fees: GasFees
        do throws(ChainReadError) {
            count = try await chain.transactionCount()
            fees = try await chain.suggestedFees()
        } catch {
            core.unreachable(now: time.now)
            return [:]
        }
        let firstNew = core.nextNonce
        let transmissions = core.transmissions(count: count, suggested: fees, now: time.now)
        var signed: [(Transmission, SignedCall)] = []
        for transmission in transmissions {
            let call: RegistryCall?
            switch transmission.purpose {
            case .registration(let id):
                guard let registration = core.registration(id) else { continue }
                call = try await self.call(for: registration)
            case .relay(let id):
                call = relayedCalls[id]
            case .filler:
                call = nil
            }
            let transaction = try chain.sign(
                call,
                nonce: transmission.nonce,
                gas: transmission.gas,
                fees: transmission.fees
            )
            if case .registration(let id) = transmission.purpose {
                core.signed(id, transaction: transaction.bytes, hash: transaction.hash, at: time.wallTime)
            }
            signed.append((transmission, transaction))
        }
        let changes = core.takeChanges()
        try await store(changes, of: core)
        if changes.isEmpty, core.nextNonce != firstNew {
            let nonce = core.nextNonce
            try await store.write { writer in try writer.set(String(nonce), for: ChainSetting.nextNonce) }
        }
        var relayed: [UInt64: Word] = [:]
        var isReachable = true
        for (transmission, transaction) in signed {
            // Those behind would wait for this one in any case.
            let result = isReachable ? await chain.submit(transaction) : .unreachable
            isReachable = result != .unreachable
            submissions += 1
            core.submitted(transmission, result: result, now: time.now)
            if case .relay(let id) = transmission.purpose, result == .accepted { relayed[id] = transaction.hash }
        }
        return relayed
    }
}
