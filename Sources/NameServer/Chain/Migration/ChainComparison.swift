import NameRegistry
package import Runtime

/// Follows a chain until what is on it now is final, and compares it with a store.
package struct ChainComparison: Sendable {
    package enum Failure: Error, Hashable, Sendable {
        case alarm(ChainAlarm)
        /// The blocks of now have not become final in time.
        case notFinal(block: UInt64, final: UInt64?)
    }

    private let store: any NameStore
    private let chain: NodeRegistryChain
    private let mode: ServerMode
    private let time: any TimeSource

    package init(
        store: any NameStore,
        chain: NodeRegistryChain,
        mode: ServerMode,
        time: any TimeSource = SystemTime()
    ) {
        self.store = store
        self.chain = chain
        self.mode = mode
        self.time = time
    }

    /// Waits for the newest block of now to become final, for a bounded time.
    ///
    /// - Throws: ``Failure``, ``ChainReadError``, or what the store throws.
    package func run(
        within patience: Duration,
        progress: @Sendable (UInt64) -> Void = { _ in }
    ) async throws -> Reconciliation.Report {
        var follower = ChainFollower(
            ChainFollower.Configuration(
                firstBlock: chain.configuration.firstBlock,
                rule: chain.configuration.rule,
                mode: mode
            ),
            store: store,
            chain: chain
        )
        let target = try await chain.latest().number
        let deadline = time.now + patience
        while true {
            let hasMore = (try? await follower.turn(at: time.wallTime)) ?? false
            if let alarm = follower.alarm { throw Failure.alarm(alarm) }
            if let head = follower.head { progress(head.number) }
            if let final = follower.finalBlock, final >= target { break }
            guard time.now < deadline else { throw Failure.notFinal(block: target, final: follower.finalBlock) }
            if !hasMore { try await Task.sleep(for: .milliseconds(200)) }
        }
        let final = follower.finalBlock ?? target
        let onChain = try await chain.journal(at: try await chain.block(final))
        let reconciler = Reconciler(store: store, mode: .sql)
        return try await reconciler.run(block: final, onChain: onChain ?? .empty, at: time.wallTime)
    }
}
