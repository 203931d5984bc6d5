import Ethereum
import Keys
package import NameRegistry
package import Runtime

/// Reads a whole registry from its chain into a store, which can then serve without the chain.
///
/// Source: names protocol, "From a chain to SQL".
package struct ChainExport: Sendable {
    package struct Report: Hashable, Sendable {
        package var block: UInt64 = 0
        package var journal = JournalState.empty
        /// Names of the chain that the store has now.
        package var names = 0
        /// Those of them whose evidence is missing or does not verify.
        package var unsigned = 0
        /// Names that the store had with other content, older than the chain's; both contents are kept.
        package var kept: [Name] = []
        /// Names whose older content on the chain replaced what the store had.
        package var replaced: [Name] = []
    }

    package enum Failure: Error, Hashable, Sendable {
        case alarm(ChainAlarm)
        /// The chain's journal, as proved, is not that of the operations that were read.
        case notProved
        case noFinalBlock
    }

    private let store: any NameStore
    private let chain: NodeRegistryChain
    private let time: any TimeSource

    package init(store: any NameStore, chain: NodeRegistryChain, time: any TimeSource = SystemTime()) {
        self.store = store
        self.chain = chain
        self.time = time
    }

    /// Reads up to the newest final block, checks the journal by a proof, and fills the store.
    ///
    /// - Parameter progress: Hears which block has been reached.
    /// - Returns: What was found.
    /// - Throws: ``Failure``, ``ChainReadError``, or what the store throws.
    package func run(progress: @Sendable (UInt64) -> Void = { _ in }) async throws -> Report {
        var configuration = ChainFollower.Configuration(
            firstBlock: chain.configuration.firstBlock,
            rule: chain.configuration.rule,
            mode: .shadow
        )
        configuration.logsTaken = true
        var follower = ChainFollower(configuration, store: store, chain: chain)
        while try await follower.turn(at: time.wallTime) {
            if let head = follower.head { progress(head.number) }
        }
        if let alarm = follower.alarm { throw Failure.alarm(alarm) }
        guard let final = follower.finalBlock else { throw Failure.noFinalBlock }
        var report = Report()
        report.block = final
        report.journal = try await proved(at: final)
        let stored = try await store.read { try $0.chainJournal(upTo: final) }
        guard stored == report.journal else { throw Failure.notProved }
        try await count(&report)
        try await resolve(&report)
        return report
    }

    /// What the contract holds after a block, by a Merkle proof against the block's hash.
    private func proved(at number: UInt64) async throws -> JournalState {
        do {
            guard let block = try await chain.node.block(.number(number)) else { throw Failure.notProved }
            let slots = [RegistryLayout.sequence.slot, RegistryLayout.journal.slot]
            let proof = try await chain.node.proof(of: chain.store, slots: slots, at: .number(number))
            let account = try proof.account(stateRoot: block.header.stateRoot)
            let values = try proof.slots.map { try $0.value(storageRoot: account.storageRoot) }
            guard values.count == 2, let sequence = values[0].integer else { throw Failure.notProved }
            return JournalState(sequence: sequence, head: values[1])
        } catch let error as NodeError {
            throw ChainReadError(error)
        }
    }

    private func count(_ report: inout Report) async throws {
        var last: Name?
        while true {
            let after = last
            let page = try await store.read { try $0.records(after: after, limit: 1_000) }
            guard let newest = page.last?.record.name else { return }
            let final = page.filter { $0.state == .final }
            report.names += final.count
            report.unsigned += final.count { $0.evidence == nil && $0.record.account != nil }
            last = newest
        }
    }

    /// Where contents differ, what was durable first wins; the other one stays in the list.
    private func resolve(_ report: inout Report) async throws {
        let conflicts = try await store.read { try $0.conflicts(unresolvedOnly: true, limit: 100_000) }
        for conflict in conflicts {
            let name = conflict.name
            guard let operation = try await store.read({ try $0.chainOperations(of: name).first }),
                let stored = try await store.find(name)
            else { continue }
            let block = try await chain.block(operation.block)
            guard block.time < stored.created else {
                report.kept.append(name)
                try await store.write { try $0.resolve(conflict: conflict.id, as: "local") }
                continue
            }
            let now = time.wallTime
            try await store.write { writer in
                try writer.resolve(conflict: conflict.id, as: "chain")
                try NameSettlement.settle(name, upTo: .max, mode: .chain, at: now, in: writer)
            }
            report.replaced.append(name)
        }
    }
}
