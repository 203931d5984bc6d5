import Ethereum
import NameRegistry
import Runtime

/// Looks at the store for the pages that show how it is, no more often than needed and never twice at once.
actor ServerProbe {
    struct Sight: Sendable {
        var names = 0
        var localSequence: UInt64 = 0
        var localJournal = Word.zero
        var pending = 0
        var failedTransactions = 0
        var conflicts = 0
        /// Why the store could not be written, or not in time.
        var failure: String?
        var time: Instant
    }

    private let store: any NameStore
    private let time: any TimeSource
    private var last: Sight?
    private var looking: Task<Sight, Never>?
    private var lastWrite: (time: Instant, failure: String?)?

    /// How old a sight may be.
    static let freshness = Duration.milliseconds(200)
    /// How old the knowledge may be that the store takes writes.
    static let writeFreshness = Duration.seconds(3)
    /// How long the store may take for a write.
    static let patience = Duration.seconds(5)

    init(store: any NameStore, time: any TimeSource) {
        self.store = store
        self.time = time
    }

    /// The store as it is now, or was a moment ago; answers within ``patience``.
    func look() async -> Sight {
        if let last, time.now - last.time < Self.freshness { return last }
        let task = looking ?? Task { await self.sight() }
        looking = task
        let sight = await Self.first(of: task, orAfter: Self.patience)
        guard var sight else {
            var late = last ?? Sight(time: time.now)
            late.failure = "the store does not answer"
            late.time = time.now
            last = late
            return late
        }
        sight.time = time.now
        last = sight
        looking = nil
        return sight
    }

    private static func first(of task: Task<Sight, Never>, orAfter patience: Duration) async -> Sight? {
        // A store that hangs must not hold this up, so that its task is left behind instead of awaited.
        let (stream, continuation) = AsyncStream.makeStream(of: Sight?.self, bufferingPolicy: .bufferingOldest(1))
        let alarm = Task {
            try await Task.sleep(for: patience)
            continuation.yield(nil)
        }
        Task { continuation.yield(await task.value) }
        defer { alarm.cancel() }
        for await sight in stream { return sight }
        return nil
    }

    private func sight() async -> Sight {
        let now = time.now
        var sight = Sight(time: now)
        do {
            sight = try await store.read { try Self.read($0, at: now) }
            sight.failure = await writeFailure()
        } catch {
            sight.failure = (error as? NameStoreError)?.sentence ?? "the store fails"
        }
        return sight
    }

    private static func read(_ reader: any NameStoreReader, at now: Instant) throws -> Sight {
        var sight = Sight(time: now)
        sight.names = try reader.recordCount()
        let entry = try reader.lastLocalEntry()
        sight.localSequence = entry?.operation.sequence ?? 0
        sight.localJournal = entry?.head ?? .zero
        let outbox = try reader.outboxCounts()
        sight.pending = (outbox[.queued] ?? 0) + (outbox[.sent] ?? 0) + (outbox[.included] ?? 0)
        sight.failedTransactions = outbox[.failed] ?? 0
        sight.conflicts = try reader.conflicts(unresolvedOnly: true, limit: 1_000).count
        return sight
    }

    private func writeFailure() async -> String? {
        let now = time.now
        if let lastWrite, now - lastWrite.time < Self.writeFreshness { return lastWrite.failure }
        let text = String(time.wallTime.milliseconds)
        var failure: String?
        do {
            try await store.write { try $0.set(text, for: "health") }
        } catch {
            failure = (error as? NameStoreError)?.sentence ?? "the store fails"
        }
        lastWrite = (now, failure)
        return failure
    }
}
