public import Ethereum
public import NameRegistry
import Runtime
import Synchronization

/// What is brought to the chain for those who ask for it by the extension API.
extension ChainService {
    public func commit(_ commitment: Word) async throws(ChainFailure) -> Word {
        try await relay(.commit(commitment))
    }

    public func relay(_ operation: OwnerOperation) async throws(ChainFailure) -> Word {
        try await relay(.relay(operation))
    }

    public func reveal(_ registration: Registration, secret: Word) async throws(ChainFailure) -> RegistrationState {
        if let stall = (await status()).stall, configuration.mode.awaitsInclusion {
            throw .unavailable(reason: stall)
        }
        if let known = try await settled(registration) { return known }
        try await admit(registration, secret: secret)
        let now = time.wallTime
        let outcome: RegistrationOutcome
        do {
            outcome = try await store.write { writer in
                let outcome = try writer.append(registration, chained: true, at: now)
                switch outcome {
                case .inserted, .identical: try Self.queue(registration.name, with: secret, in: writer)
                case .nameTaken, .accountTaken: break
                }
                return outcome
            }
        } catch {
            throw .unavailable(reason: "the store does not take writes")
        }
        wakeup.wake()
        switch outcome {
        case .inserted(let stored), .identical(let stored): return stored.state
        case .nameTaken: throw ChainFailure(.nameTaken)
        case .accountTaken: throw ChainFailure(.accountTaken)
        }
    }

    /// How far exactly this registration is when it is on the chain already, where its commitment is used up.
    private func settled(_ registration: Registration) async throws(ChainFailure) -> RegistrationState? {
        do throws(NameStoreError) {
            guard let stored = try await store.find(registration.name),
                stored.record == NameRecord(registration), stored.state == .included || stored.state == .final
            else { return nil }
            return stored.state
        } catch {
            throw .unavailable(reason: "the store cannot be read")
        }
    }

    /// Asks the contract first, so that nobody keeps a name from others here without a commitment.
    private func admit(_ registration: Registration, secret: Word) async throws(ChainFailure) {
        let estimate: CallEstimate
        do throws(ChainReadError) {
            // On the chain, and the store will say so as soon as it has followed that block.
            if try await chain.record(of: registration.name) == NameRecord(registration) { return }
            estimate = try await chain.estimate(.reveal(registration, secret: secret))
        } catch {
            throw .unavailable(reason: "no node of the chain answers")
        }
        guard case .reverts(let message) = estimate else { return }
        let refusal = ContractRefusal(reason: message)
        guard refusal != .commitmentTooYoung else { return }
        throw ChainFailure(refusal)
    }

    /// Lets an attempt be made with this secret; an earlier one may have failed for its commitment.
    private static func queue(_ name: Name, with secret: Word, in writer: any NameStoreWriter) throws {
        try writer.set(secret.hex, for: ChainSetting.secret(of: name))
        for var entry in try writer.outbox(in: [.failed], limit: 1_000) {
            let operation = try writer.localLog(from: entry.localSequence, limit: 1).first?.operation
            guard operation?.name == name else { continue }
            entry.state = .queued
            entry.nonce = nil
            entry.error = nil
            try writer.update(entry)
        }
    }

    private func relay(_ call: RegistryCall) async throws(ChainFailure) -> Word {
        if let stall = (await status()).stall { throw .unavailable(reason: stall) }
        let estimate: CallEstimate
        do throws(ChainReadError) {
            estimate = try await chain.estimate(call)
        } catch {
            throw .unavailable(reason: "no node of the chain answers")
        }
        if case .reverts(let message) = estimate {
            throw ChainFailure(reason: message)
        }
        let patience = configuration.relayPatience
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Word, ChainFailure>, Never>) in
            let once = Once(continuation)
            // Ends by itself; whoever comes first answers.
            Task {
                try? await Task.sleep(for: patience)
                once.resume(.failure(.unavailable(reason: "the chain has not taken the transaction in time")))
            }
            let isTaken = shared.withLock { shared in
                guard !shared.isStopped, shared.relays.count < 256 else { return false }
                shared.relays.append(Relay(call: call) { once.resume($0) })
                return true
            }
            if !isTaken { once.resume(.failure(.unavailable(reason: "too many transactions wait"))) }
            wakeup.wake()
        }
        return try result.get()
    }
}

extension ChainFailure {
    /// What it means to who asked that a contract reverts with a text.
    init(reason: String) {
        self.init(ContractRefusal(reason: reason))
    }

    init(_ refusal: ContractRefusal) {
        switch refusal {
        case .nameTaken: self = .refused(code: "nameTaken", reason: "The name is registered to somebody else.")
        case .accountTaken: self = .refused(code: "addrTaken", reason: "The account has another name.")
        case .invalidName: self = .refused(code: "invalidName", reason: "The contract does not take this name.")
        case .notOwner:
            self = .refused(
                code: "notOwner",
                reason: "This is not what the owner of the name has signed, or it was brought to the chain before."
            )
        case .noCommitment:
            self = .refused(
                code: "noCommitment",
                reason: "There is no commitment to exactly this. Wait until it is in a block before you tell the name."
            )
        case .commitmentTooYoung:
            self = .refused(code: "commitmentTooYoung", reason: "The commitment is younger than a minute.")
        case .commitmentTooOld:
            self = .refused(
                code: "commitmentTooOld",
                reason: "The commitment is older than a day. Make another one with another secret."
            )
        case .commitmentPending:
            self = .refused(code: "commitmentPending", reason: "This commitment is on the chain already.")
        case .deadlinePassed:
            self = .refused(code: "deadlinePassed", reason: "What the owner signed was to be done until then only.")
        case .notRegistrar, .commitmentRequired, .importClosed, .notLogic:
            self = .unavailable(reason: "the council does not let this server write at present")
        case .other(let text):
            let reason = text.flatMap { $0.isEmpty ? nil : $0 } ?? "it does not say why"
            self = .refused(code: "refused", reason: "The contract refuses: \(reason).")
        }
    }
}

/// Answers a continuation once, whoever comes first.
private final class Once<Value: Sendable>: Sendable {
    private let continuation: Mutex<CheckedContinuation<Value, Never>?>

    init(_ continuation: CheckedContinuation<Value, Never>) {
        self.continuation = Mutex(continuation)
    }

    func resume(_ value: Value) {
        let waiting = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        waiting?.resume(returning: value)
    }
}
