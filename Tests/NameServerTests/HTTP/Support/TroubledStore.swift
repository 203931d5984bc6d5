import Keys
import NameRegistry
import Runtime
import Synchronization

@testable import NameServer

/// A store that fails, is slow, or never answers, as its test says.
final class TroubledStore: NameStore {
    enum Trouble: Sendable {
        case none
        case fails(NameStoreError)
        case slow(Duration)
        /// No answer before ``end()``.
        case hangs
    }

    private let base: any NameStore
    private let trouble: Mutex<Trouble>
    private let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])

    init(_ base: any NameStore, _ trouble: Trouble = .none) {
        self.base = base
        self.trouble = Mutex(trouble)
    }

    func suffer(_ new: Trouble) { trouble.withLock { $0 = new } }

    /// How many calls hang.
    var waitingCount: Int { waiting.withLock { $0.count } }

    /// Lets everything go on that hangs.
    func end() {
        suffer(.none)
        let all = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for continuation in all { continuation.resume() }
    }

    private func pass() async throws(NameStoreError) {
        switch trouble.withLock({ $0 }) {
        case .none: return
        case .fails(let error): throw error
        case .slow(let duration): try? await Task.sleep(for: duration)
        case .hangs:
            await withCheckedContinuation { continuation in waiting.withLock { $0.append(continuation) } }
        }
    }

    func register(
        _ registration: Registration,
        chained: Bool,
        at time: WallTime
    ) async throws(NameStoreError) -> RegistrationOutcome {
        try await pass()
        return try await base.register(registration, chained: chained, at: time)
    }

    func find(_ name: Name) async throws(NameStoreError) -> StoredName? {
        try await pass()
        return try await base.find(name)
    }

    func find(_ account: InfoHash) async throws(NameStoreError) -> StoredName? {
        try await pass()
        return try await base.find(account)
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any NameStoreReader) throws -> Value
    ) async throws -> Value {
        try await pass()
        return try await base.read(body)
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any NameStoreWriter) throws -> Value
    ) async throws -> Value {
        try await pass()
        return try await base.write(body)
    }

    var statistics: NameStoreStatistics { base.statistics }

    func close() async { await base.close() }
}
