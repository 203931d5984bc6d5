package import Ethereum
package import NameRegistry
package import Runtime

/// Brings registrations to the chain as a pure state machine, and owns the schedule of all repetitions.
///
/// A driver calls in rounds: ``load(_:)``, ``note(_:for:)``, ``examinations(now:)``, ``examined(_:as:now:)``,
/// ``transmissions(count:suggested:now:)``, then signs, stores ``takeChanges()`` in one transaction, and only then sends
/// and reports with ``submitted(_:result:now:)``. When storing fails, the core is thrown away and loaded anew.
/// Source: names protocol, "Outbox".
package struct OutboxCore: Sendable {
    package struct Limits: Sendable {
        /// Registrations on their way at once; the others wait in the store.
        package var window = 4_096
        /// Registrations that are looked at in one round.
        package var burst = 32
        /// Entries of the store that are read at once.
        package var page = 128
        /// How many times the time of a block pass before a transaction is sent again.
        package var patience = 3
        /// The most that a call may use, and that a unit of gas may cost, in wei.
        package var gas: UInt64 = 400_000
        package var fee: UInt64 = 1_000_000_000_000
        package var relays = 256
        package var relayAttempts = 20
        /// How long nothing is sent after the chain refused this server.
        package var pause = Duration.seconds(60)

        package init() {}
    }

    struct Item: Sendable {
        var entry: OutboxEntry
        let registration: Registration
        var due: Instant
        /// Set when it was found absent in this round and may be sent.
        var gas: UInt64?
        var fees: GasFees?
    }

    struct Relay: Sendable {
        var gas: UInt64
        var nonce: UInt64?
        var attempts = 0
        var due: Instant
        var fees: GasFees?
    }

    struct Filler: Sendable {
        var due: Instant
        var fees: GasFees
    }

    package let limits: Limits
    package let blockTime: Duration
    var items: [Int64: Item] = [:]
    var relays: [UInt64: Relay] = [:]
    var fillers: [UInt64: Filler] = [:]
    var changed: Set<Int64> = []
    /// The number of the next transaction; everything below was given away.
    package internal(set) var nextNonce: UInt64
    private var backoff: Backoff
    private var randomness: Randomness
    private var quietUntil: Instant?
    private var pausedUntil: Instant?
    /// Why nothing is sent; `nil` while the chain takes what it gets.
    package private(set) var refusal: String?

    package init(nextNonce: UInt64, blockTime: Duration, randomness: Randomness, limits: Limits = Limits()) {
        self.nextNonce = nextNonce
        self.blockTime = blockTime
        self.limits = limits
        self.randomness = randomness
        backoff = Backoff(initial: .milliseconds(500), cap: .seconds(60))
    }

    private static let commitmentRequired = "commit required"

    /// Why some registrations wait for the council while others go on; `nil` when none does.
    package var hindrance: String? {
        items.values.contains { $0.entry.error == Self.commitmentRequired } ? Self.commitmentRequired : nil
    }

    /// How many more registrations a round could look at.
    package func appetite(now: Instant) -> Int {
        let ready = items.values.count { $0.entry.state == .queued && $0.due <= now }
        return max(0, min(limits.window - items.count, limits.burst - ready))
    }

    package var ids: [Int64] { items.keys.sorted() }
    package func registration(_ id: Int64) -> Registration? { items[id]?.registration }
    package func entry(_ id: Int64) -> OutboxEntry? { items[id]?.entry }

    // MARK: Facts of the store

    /// Takes entries that are not known yet; those that have ended are passed over.
    ///
    /// All that were sent are to be here before anything else is: their numbers are theirs.
    package mutating func load(_ entries: [(OutboxEntry, Registration)]) {
        for (entry, registration) in entries where items[entry.id] == nil {
            switch entry.state {
            case .queued, .sent, .included: break
            case .final, .failed: continue
            }
            items[entry.id] = Item(entry: entry, registration: registration, due: Instant(nanoseconds: .min))
            if let nonce = entry.nonce, nonce >= nextNonce { nextNonce = nonce + 1 }
        }
    }

    /// Takes what the store, which follows the chain, says of a registration; also after a reorganisation.
    package mutating func note(_ progress: OutboxProgress, for id: Int64) {
        guard var item = items[id] else { return }
        switch (progress, item.entry.state) {
        case (.waiting, .included):
            item.entry.state = item.entry.nonce == nil ? .queued : .sent
            item.due = Instant(nanoseconds: .min)
        case (.included, .queued), (.included, .sent):
            item.entry.state = .included
            item.entry.error = nil
        case (.final, _):
            item.entry.state = .final
            item.entry.error = nil
        case (.displaced, _):
            item.entry.state = .failed
            item.entry.error = "taken"
        case (.waiting, _), (.included, _):
            return
        }
        items[id] = item
        changed.insert(id)
    }

    // MARK: Looking before sending

    /// The registrations that a node shall be asked about now, the oldest first.
    package mutating func examinations(now: Instant) -> [Int64] {
        // Nothing is sent on the word of an earlier round.
        for id in items.keys where items[id]?.gas != nil { items[id]?.gas = nil }
        guard isReady(now) else { return [] }
        let due = items.filter { isOpen($0.value) && $0.value.due <= now }.keys.sorted()
        // While the chain refuses everything, one registration asks for all.
        return Array(due.prefix(refusal == nil ? limits.burst : 1))
    }

    private func isOpen(_ item: Item) -> Bool {
        item.entry.state == .queued || item.entry.state == .sent
    }

    private func isReady(_ now: Instant) -> Bool {
        (quietUntil ?? now) <= now && (pausedUntil ?? now) <= now
    }

    package mutating func examined(_ id: Int64, as finding: OutboxFinding, now: Instant) {
        guard var item = items[id], isOpen(item) else { return }
        switch finding {
        case .present:
            // The store says it, too, once it has followed that block.
            item.due = now + blockTime
        case .absent(let gas):
            item.gas = min(gas.addingReportingOverflow(gas / 5).partialValue, limits.gas)
            refusal = nil
            reached()
        case .contrary:
            // It may still be replaced: only a final block decides, and the store says so then.
            item.due = now + blockTime
            if item.entry.error != "contested" {
                item.entry.error = "contested"
                changed.insert(id)
            }
        case .refused(.taken):
            item.due = now + blockTime
        case .refused(.commitment):
            item.due = now + blockTime * limits.patience
        case .refused(.commitmentRequired):
            // Those behind it that were committed to are not held up.
            item.due = now + limits.pause
            item.entry.error = Self.commitmentRequired
            changed.insert(id)
        case .refused(.notAllowed(let reason)):
            item.due = now
            pause(reason, now: now)
        case .refused(.invalid(let reason)):
            item.entry.state = .failed
            item.entry.error = reason
            changed.insert(id)
        case .unreachable:
            unreachable(now: now)
        }
        items[id] = item
    }

    // MARK: Sending

    /// What is to be sent now, in the order of the numbers.
    ///
    /// The count is how many transactions of this server are in blocks; the suggested fees are what one has to pay at
    /// present.
    package mutating func transmissions(count: UInt64, suggested: GasFees, now: Instant) -> [Transmission] {
        guard isReady(now), refusal == nil else { return [] }
        nextNonce = max(nextNonce, count)
        let result =
            registrations(count: count, suggested: suggested, now: now)
            + relayed(count: count, suggested: suggested, now: now)
            + filled(count: count, suggested: suggested, now: now)
        return result.sorted { $0.nonce < $1.nonce }
    }

    private mutating func registrations(count: UInt64, suggested: GasFees, now: Instant) -> [Transmission] {
        var result: [Transmission] = []
        for id in items.keys.sorted() {
            guard var item = items[id], let gas = item.gas else { continue }
            item.gas = nil
            // A number that a block has used cannot be used again: what had it was reverted.
            if item.entry.nonce.map({ $0 < count }) ?? true {
                item.entry.nonce = takeNonce()
                item.fees = nil
            }
            let fees = price(item.fees, attempts: item.entry.attempts, suggested: suggested)
            item.fees = fees
            item.entry.attempts += 1
            item.entry.state = .sent
            item.entry.error = nil
            item.due = now + blockTime * limits.patience
            items[id] = item
            changed.insert(id)
            guard let nonce = item.entry.nonce else { continue }
            result.append(Transmission(purpose: .registration(id), nonce: nonce, gas: gas, fees: fees))
        }
        return result
    }

    private mutating func relayed(count: UInt64, suggested: GasFees, now: Instant) -> [Transmission] {
        var result: [Transmission] = []
        for id in relays.keys.sorted() {
            guard var relay = relays[id] else { continue }
            if relay.nonce.map({ $0 < count }) ?? false || relay.attempts >= limits.relayAttempts {
                relays[id] = nil
                continue
            }
            guard relay.due <= now else { continue }
            let nonce = relay.nonce ?? takeNonce()
            let fees = price(relay.fees, attempts: relay.attempts, suggested: suggested)
            relay.nonce = nonce
            relay.fees = fees
            relay.attempts += 1
            relay.due = now + blockTime * limits.patience
            relays[id] = relay
            result.append(Transmission(purpose: .relay(id), nonce: nonce, gas: relay.gas, fees: fees))
        }
        return result
    }

    /// Numbers between those in blocks and those on their way that belong to nothing.
    private mutating func filled(count: UInt64, suggested: GasFees, now: Instant) -> [Transmission] {
        fillers = fillers.filter { $0.key >= count }
        guard count < nextNonce else { return [] }
        let wanted = Set(items.values.compactMap(\.entry.nonce)).union(relays.values.compactMap(\.nonce))
        var result: [Transmission] = []
        for nonce in count..<min(nextNonce, count + UInt64(limits.window)) where !wanted.contains(nonce) {
            guard result.count < limits.burst else { break }
            guard fillers[nonce].map({ $0.due <= now }) ?? true else { continue }
            let fees = price(fillers[nonce]?.fees, attempts: 0, suggested: suggested)
            fillers[nonce] = Filler(due: now + blockTime * limits.patience, fees: fees)
            result.append(Transmission(purpose: .filler, nonce: nonce, gas: 21_000, fees: fees))
        }
        return result
    }

    private mutating func takeNonce() -> UInt64 {
        defer { nextNonce += 1 }
        return nextNonce
    }

    /// What a repetition pays: more than the last time, and at least what is asked at present.
    private func price(_ last: GasFees?, attempts: Int, suggested: GasFees) -> GasFees {
        if let last { return last.raised(cap: limits.fee).atLeast(suggested) }
        // After a restart the last price is not known, but how often it was raised is.
        return (0..<min(attempts, 40)).reduce(suggested) { fees, _ in fees.raised(cap: limits.fee) }
    }

    /// Takes a signed transaction, to be stored before it is sent.
    package mutating func signed(_ id: Int64, transaction: [UInt8], hash: Word, at time: WallTime) {
        items[id]?.entry.transaction = transaction
        items[id]?.entry.transactionHash = hash
        items[id]?.entry.sentAt = time
    }

    /// The entries that differ from what is stored; those that have ended are forgotten here.
    package mutating func takeChanges() -> [OutboxEntry] {
        let entries = changed.sorted().compactMap { items[$0]?.entry }
        changed.removeAll(keepingCapacity: true)
        for entry in entries where entry.state == .final || entry.state == .failed { items[entry.id] = nil }
        return entries
    }

    package mutating func submitted(_ transmission: Transmission, result: SubmissionResult, now: Instant) {
        switch result {
        case .accepted:
            reached()
        case .numberUsed, .underpriced:
            // Looked at in the next round, and sent with a higher price or another number.
            reached()
            setDue(transmission, now)
        case .refused(let reason):
            setDue(transmission, now)
            pause(reason, now: now)
        case .unreachable:
            setDue(transmission, now)
            unreachable(now: now)
        }
    }

    private mutating func setDue(_ transmission: Transmission, _ now: Instant) {
        switch transmission.purpose {
        case .registration(let id): items[id]?.due = now
        case .relay(let id): relays[id]?.due = now
        case .filler: fillers[transmission.nonce]?.due = now
        }
    }

    // MARK: Relays

    /// Takes a call that is brought to the chain for somebody else; `false` when too many wait.
    ///
    /// It is not stored: who asked for it sees whether it has arrived, and asks again.
    package mutating func admit(relay id: UInt64, gas: UInt64, now: Instant) -> Bool {
        guard relays.count < limits.relays else { return false }
        relays[id] = Relay(gas: min(gas.addingReportingOverflow(gas / 5).partialValue, limits.gas), due: now)
        return true
    }

    package var relayIDs: Set<UInt64> { Set(relays.keys) }

    // MARK: The schedule

    private mutating func pause(_ reason: String, now: Instant) {
        refusal = reason
        pausedUntil = now + limits.pause
    }

    /// Waits longer after each failure to reach a node.
    package mutating func unreachable(now: Instant) {
        guard (quietUntil ?? now) <= now else { return }
        quietUntil = now + backoff.next(using: &randomness)
    }

    private mutating func reached() {
        backoff.reset()
        quietUntil = nil
    }
}
