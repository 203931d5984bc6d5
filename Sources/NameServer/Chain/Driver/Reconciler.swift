import Ethereum
import Keys
import NameRegistry
package import Runtime

/// Compares the whole store with the chain, page by page, and repairs what can be repaired without a choice.
///
/// Source: names protocol, "Reconciliation".
package struct Reconciler: Sendable {
    private let store: any NameStore
    private let mode: ServerMode
    /// Names in one transaction.
    private let page: Int

    package init(store: any NameStore, mode: ServerMode, page: Int = 500) {
        self.store = store
        self.mode = mode
        self.page = page
    }

    /// Compares at a final block, given what the chain's contract holds after it.
    ///
    /// The actions are carried out; the report says what was found before.
    package func run(
        block: UInt64,
        onChain: JournalState,
        at time: WallTime
    ) async throws -> Reconciliation.Report {
        let stored = try await store.read { try $0.chainJournal(upTo: block) }
        var reconciliation = Reconciliation(block: block, stored: stored, onChain: onChain)
        try await compareNames(&reconciliation, block: block, at: time)
        try await compareChain(&reconciliation, block: block, upTo: stored.sequence, at: time)
        try await compareLog(&reconciliation, block: block, at: time)
        let conflicts = try await store.read { reader in
            try reader.conflicts(unresolvedOnly: true, limit: 1_000).count
        }
        return reconciliation.finish(unresolvedConflicts: conflicts)
    }

    /// Every stored name beside its history on the chain.
    private func compareNames(_ reconciliation: inout Reconciliation, block: UInt64, at time: WallTime) async throws {
        var last: Name?
        while true {
            let (after, page, mode, before) = (last, page, mode, reconciliation)
            let result = try await store.write { writer in
                var reconciliation = before
                let names = try writer.records(after: after, limit: page)
                for stored in names {
                    let pair = Reconciliation.Pair(
                        name: stored.record.name,
                        local: stored,
                        isOnItsWay: true,
                        localSequence: nil,
                        chain: try Self.history(of: stored.record.name, upTo: block, in: writer)
                    )
                    try Self.perform(
                        reconciliation.compare(pair),
                        on: stored,
                        mode: mode,
                        upTo: block,
                        at: time,
                        in: writer
                    )
                }
                return (reconciliation, names.last?.record.name, names.count)
            }
            reconciliation = result.0
            last = result.1
            if result.2 < page { return }
        }
    }

    /// Every operation on the chain whose name is not stored.
    private func compareChain(
        _ reconciliation: inout Reconciliation,
        block: UInt64,
        upTo end: UInt64,
        at time: WallTime
    ) async throws {
        var next: UInt64 = 1
        while next <= end {
            let (first, page, mode, before) = (next, page, mode, reconciliation)
            (reconciliation, next) = try await store.write { writer in
                var reconciliation = before
                let operations = try writer.chainOperations(from: first, limit: page)
                for operation in operations where operation.operation.kind == .register && operation.block <= block {
                    let name = operation.operation.name
                    guard try writer.find(name) == nil else { continue }
                    let pair = Reconciliation.Pair(
                        name: name,
                        local: nil,
                        isOnItsWay: false,
                        localSequence: nil,
                        chain: try Self.history(of: name, upTo: block, in: writer)
                    )
                    guard case .settle = reconciliation.compare(pair) else { continue }
                    let outcome = try NameSettlement.settle(name, upTo: block, mode: mode, at: time, in: writer)
                    if outcome == .taken(hasEvidence: false) { reconciliation.noteUnsigned(name) }
                }
                return (reconciliation, operations.last.map { $0.operation.sequence + 1 } ?? .max)
            }
        }
    }

    /// Every registration that was accepted here and waits for nothing.
    private func compareLog(_ reconciliation: inout Reconciliation, block: UInt64, at time: WallTime) async throws {
        guard mode.usesChain else { return }
        var next: UInt64 = 1
        while true {
            let (first, page, before) = (next, page, reconciliation)
            let result = try await store.write { writer in
                var reconciliation = before
                let entries = try writer.localLog(from: first, limit: page)
                for entry in entries where entry.operation.kind == .register {
                    try Self.revive(entry.operation, in: &reconciliation, upTo: block, writer: writer)
                }
                return (reconciliation, entries.last.map { $0.operation.sequence + 1 })
            }
            reconciliation = result.0
            guard let following = result.1 else { return }
            next = following
        }
    }

    private static func revive(
        _ operation: JournalOperation,
        in reconciliation: inout Reconciliation,
        upTo block: UInt64,
        writer: any NameStoreWriter
    ) throws {
        guard let stored = try writer.find(operation.name), stored.state == .accepted || stored.state == .sent,
            stored.record == ChainReplay.record(after: operation, on: nil)
        else { return }
        let entry = try writer.outboxEntry(localSequence: operation.sequence)
        // What no repetition can bring there waits for a new request.
        if entry?.state == .failed, entry?.error != "taken" { return }
        let isOnItsWay =
            switch entry?.state {
            case .queued, .sent, .included: true
            case .final, .failed, nil: false
            }
        let pair = Reconciliation.Pair(
            name: operation.name,
            local: stored,
            isOnItsWay: isOnItsWay,
            localSequence: operation.sequence,
            chain: try history(of: operation.name, upTo: block, in: writer)
        )
        guard case .enqueue(let sequence, _) = reconciliation.compare(pair) else { return }
        if var entry {
            entry.state = .queued
            entry.nonce = nil
            entry.error = nil
            try writer.update(entry)
        } else {
            try writer.enqueue(localSequence: sequence)
        }
    }

    private static func perform(
        _ action: Reconciliation.Action?,
        on stored: StoredName,
        mode: ServerMode,
        upTo block: UInt64,
        at time: WallTime,
        in writer: any NameStoreWriter
    ) throws {
        switch action {
        case nil, .enqueue:
            break
        case .settle(let name):
            // What is final is acknowledged: it is reported, and stays until somebody has decided.
            guard stored.state != .final else { return }
            try NameSettlement.settle(name, upTo: block, mode: mode, at: time, in: writer)
        case .withdraw(let name):
            try writer.setState(.accepted, block: nil, of: name)
        }
    }

    private static func history(
        of name: Name,
        upTo block: UInt64,
        in reader: any NameStoreReader
    ) throws -> ChainReplay {
        ChainReplay(try reader.chainOperations(of: name).filter { $0.block <= block }.map(\.operation))
    }
}
