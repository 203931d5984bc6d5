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
    /// Names in one transaction; others come in between.
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
        let mode = mode
        var last: Name?
        while true {
            let (after, page) = (last, page)
            let names = try await review(&reconciliation) { reader in
                let names = try reader.records(after: after, limit: page)
                return (names, try names.map { ($0, try Self.pair($0, upTo: block, in: reader)) })
            } act: { name, reconciliation, writer in
                guard let stored = try writer.find(name.record.name) else { return }
                let action = reconciliation.compare(try Self.pair(stored, upTo: block, in: writer))
                try Self.perform(action, on: stored, mode: mode, upTo: block, at: time, in: writer)
            }
            guard names.count == page, let newest = names.last else { return }
            last = newest.record.name
        }
    }

    private static func pair(
        _ stored: StoredName,
        upTo block: UInt64,
        in reader: any NameStoreReader
    ) throws -> Reconciliation.Pair {
        Reconciliation.Pair(
            name: stored.record.name,
            local: stored,
            isOnItsWay: true,
            localSequence: nil,
            chain: try history(of: stored.record.name, upTo: block, in: reader)
        )
    }

    /// Every operation on the chain whose name is not stored.
    private func compareChain(
        _ reconciliation: inout Reconciliation,
        block: UInt64,
        upTo end: UInt64,
        at time: WallTime
    ) async throws {
        let mode = mode
        var next: UInt64 = 1
        while next <= end {
            let (first, page) = (next, page)
            let operations = try await review(&reconciliation) { reader in
                let operations = try reader.chainOperations(from: first, limit: page)
                return (operations, try operations.map { ($0, try Self.missing($0, upTo: block, in: reader)) })
            } act: { operation, reconciliation, writer in
                guard let pair = try Self.missing(operation, upTo: block, in: writer),
                    case .settle(let name) = reconciliation.compare(pair)
                else { return }
                let outcome = try NameSettlement.settle(name, upTo: block, mode: mode, at: time, in: writer)
                if outcome == .taken(hasEvidence: false) { reconciliation.noteUnsigned(name) }
            }
            next = operations.last.map { $0.operation.sequence + 1 } ?? .max
        }
    }

    /// A registration on the chain whose name is not stored; `nil` for every other operation.
    private static func missing(
        _ operation: ChainOperation,
        upTo block: UInt64,
        in reader: any NameStoreReader
    ) throws -> Reconciliation.Pair? {
        let name = operation.operation.name
        guard operation.operation.kind == .register, operation.block <= block, try reader.find(name) == nil else {
            return nil
        }
        return Reconciliation.Pair(
            name: name,
            local: nil,
            isOnItsWay: false,
            localSequence: nil,
            chain: try history(of: name, upTo: block, in: reader)
        )
    }

    /// Every registration that was accepted here and waits for nothing.
    private func compareLog(_ reconciliation: inout Reconciliation, block: UInt64, at time: WallTime) async throws {
        guard mode.usesChain else { return }
        var next: UInt64 = 1
        while true {
            let (first, page) = (next, page)
            let entries = try await review(&reconciliation) { reader in
                let entries = try reader.localLog(from: first, limit: page)
                return (entries, try entries.map { ($0, try Self.forgotten($0.operation, upTo: block, in: reader)) })
            } act: { entry, reconciliation, writer in
                guard let pair = try Self.forgotten(entry.operation, upTo: block, in: writer),
                    case .enqueue(let sequence, _) = reconciliation.compare(pair)
                else { return }
                try Self.revive(sequence, in: writer)
            }
            guard let newest = entries.last else { return }
            next = newest.operation.sequence + 1
        }
    }

    /// A registration that waits to come to the chain; `nil` for every other operation.
    private static func forgotten(
        _ operation: JournalOperation,
        upTo block: UInt64,
        in reader: any NameStoreReader
    ) throws -> Reconciliation.Pair? {
        guard operation.kind == .register, let stored = try reader.find(operation.name),
            stored.state == .accepted || stored.state == .sent,
            stored.record == ChainReplay.record(after: operation, on: nil)
        else { return nil }
        let entry = try reader.outboxEntry(localSequence: operation.sequence)
        // What no repetition can bring there waits for a new request.
        if entry?.state == .failed, entry?.error != "taken" { return nil }
        let isOnItsWay =
            switch entry?.state {
            case .queued, .sent, .included: true
            case .final, .failed, nil: false
            }
        return Reconciliation.Pair(
            name: operation.name,
            local: stored,
            isOnItsWay: isOnItsWay,
            localSequence: operation.sequence,
            chain: try history(of: operation.name, upTo: block, in: reader)
        )
    }

    private static func revive(_ sequence: UInt64, in writer: any NameStoreWriter) throws {
        if var entry = try writer.outboxEntry(localSequence: sequence) {
            entry.state = .queued
            entry.nonce = nil
            entry.error = nil
            try writer.update(entry)
        } else {
            try writer.enqueue(localSequence: sequence)
        }
    }

    /// Compares a page while writers go on, and looks again, as a writer, at those alone that something is to be done about.
    private func review<Element: Sendable>(
        _ reconciliation: inout Reconciliation,
        read: @escaping @Sendable (any NameStoreReader) throws -> ([Element], [(Element, Reconciliation.Pair?)]),
        act: @escaping @Sendable (Element, inout Reconciliation, any NameStoreWriter) throws -> Void
    ) async throws -> [Element] {
        let before = reconciliation
        let review = try await store.read { reader in
            var counted = before
            let (page, pairs) = try read(reader)
            let open = pairs.filter { _, pair in
                guard let pair else { return false }
                var compared = counted
                guard compared.compare(pair) == nil else { return true }
                counted = compared
                return false
            }
            return Review(page: page, open: open.map(\.0), counted: counted)
        }
        reconciliation = review.counted
        guard !review.open.isEmpty else { return review.page }
        reconciliation = try await store.write { writer in
            var acted = review.counted
            for element in review.open { try act(element, &acted, writer) }
            return acted
        }
        return review.page
    }

    private struct Review<Element: Sendable>: Sendable {
        let page: [Element]
        /// Those that something is to be done about.
        let open: [Element]
        /// With all the others.
        let counted: Reconciliation
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
