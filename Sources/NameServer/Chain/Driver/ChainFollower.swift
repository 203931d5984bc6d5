import Ethereum
import Keys
import NameRegistry
package import Runtime

/// Follows a registry's chain into the store, which has it all again after a crash at any point.
package struct ChainFollower: Sendable {
    package struct Configuration: Sendable {
        /// The block that the registry was made in.
        package var firstBlock: UInt64
        package var rule: FinalityRule
        package var mode: ServerMode
        package var limits = IndexerCore.Limits()
        /// Whether names that are taken over go to the own log, for a store that shall live without the chain.
        package var logsTaken = false
        /// Reads of the chain in one turn, and operations that become final in one transaction.
        package var requests = 64
        package var batch = 500

        package init(firstBlock: UInt64, rule: FinalityRule, mode: ServerMode) {
            self.firstBlock = firstBlock
            self.rule = rule
            self.mode = mode
        }
    }

    private let configuration: Configuration
    private let store: any NameStore
    private let chain: any RegistryChain
    private var core: IndexerCore?
    /// The newest block that a node has shown.
    package private(set) var latest: ObservedBlock?
    /// How many reorganisations were followed.
    package private(set) var rollbacks = 0

    package init(_ configuration: Configuration, store: any NameStore, chain: any RegistryChain) {
        self.configuration = configuration
        self.store = store
        self.chain = chain
    }

    package var head: ObservedBlock? { core?.head }
    package var finalBlock: UInt64? { core?.finalBlock }
    package var journal: JournalState { core?.journal ?? .empty }
    package var alarm: ChainAlarm? { core?.alarm }

    /// Follows what is new, a bounded part of it; `true` when there is more at once.
    ///
    /// - Throws: ``ChainReadError``, or what the store throws; then the next turn begins with what is stored.
    package mutating func turn(at time: WallTime) async throws -> Bool {
        let latest = try await chain.latest()
        self.latest = latest
        var core = try await loaded()
        // Whatever fails below leaves no core, so that it is loaded from what was stored.
        self.core = nil
        core.resume()
        let tagged = configuration.rule == .tag ? try await readFinal(of: core) : nil
        var hasMore = true
        for _ in 0..<configuration.requests {
            let effects: [IndexerCore.Effect]
            switch core.next(latest: latest, final: tagged) {
            case .nothing, .stopped:
                hasMore = false
                effects = []
            case .block(let number):
                effects = try await read(number...number, latest: latest, into: &core)
            case .span(let blocks):
                effects = try await read(blocks, latest: latest, into: &core)
            case .ancestor(let number):
                let block = number == latest.number ? latest : try await chain.block(number)
                effects = core.receiveAncestor(block)
            }
            try await perform(effects, at: time)
            if !hasMore { break }
        }
        try await perform(core.advanceFinal(tagged: tagged), at: time)
        self.core = core
        return hasMore
    }

    private func readFinal(of core: IndexerCore) async throws(ChainReadError) -> UInt64? {
        do {
            return try await chain.taggedFinal()
        } catch .inconsistent {
            return core.finalBlock
        }
    }

    private func read(
        _ blocks: ClosedRange<UInt64>,
        latest: ObservedBlock,
        into core: inout IndexerCore
    ) async throws -> [IndexerCore.Effect] {
        let last = blocks.upperBound == latest.number ? latest : try await chain.block(blocks.upperBound)
        let operations = try await chain.operations(in: blocks, last: last)
        let journal = try await chain.journal(at: last)
        return core.receive(
            last,
            from: blocks.lowerBound,
            operations: operations,
            journal: journal,
            owners: try await owners(of: operations)
        )
    }

    /// The owners, before these operations, of the names whose owner they leave out.
    private func owners(of operations: [ObservedOperation]) async throws -> [Name: Address] {
        let names = Set(operations.filter { $0.owner == nil }.map(\.name))
        guard !names.isEmpty else { return [:] }
        return try await store.read { reader in
            var owners: [Name: Address] = [:]
            for name in names {
                owners[name] = try ChainReplay(reader.chainOperations(of: name).map(\.operation)).record?.owner
            }
            return owners
        }
    }

    // MARK: Storing

    private mutating func perform(_ effects: [IndexerCore.Effect], at time: WallTime) async throws {
        for effect in effects {
            switch effect {
            case .append(let head, let operations, let evidence):
                let keeping = configuration.limits.heads
                try await store.write { writer in
                    for evidence in evidence { try writer.put(evidence) }
                    try writer.append(operations)
                    try writer.append(head, keeping: keeping)
                    for operation in operations { try Self.include(operation, in: writer) }
                }
            case .rollBack(let block):
                rollbacks += 1
                try await store.write { writer in try Self.takeBack(above: block, in: writer) }
            case .final(let block, let operations):
                try await settle(operations, upTo: block, at: time)
            case .alarm:
                break
            }
        }
    }

    /// Marks a registration of this server that has come to the chain.
    private static func include(_ operation: ChainOperation, in writer: any NameStoreWriter) throws {
        let name = operation.operation.name
        guard let stored = try writer.find(name), stored.state == .accepted || stored.state == .sent,
            stored.record == ChainReplay.record(after: operation.operation, on: nil)
        else { return }
        try writer.setState(.included, block: operation.block, of: name)
    }

    /// Registrations in blocks that were replaced are on their way again.
    private static func takeBack(above block: UInt64, in writer: any NameStoreWriter) throws {
        var next = try writer.lastChainOperation()
        while let operation = next, operation.block > block {
            let name = operation.operation.name
            if let stored = try writer.find(name), stored.state == .included {
                try writer.setState(.sent, block: nil, of: name)
            }
            let before = operation.operation.sequence - 1
            next = before == 0 ? nil : try writer.chainOperations(from: before, limit: 1).first
        }
        try writer.removeChain(above: block)
    }

    private func settle(_ operations: ClosedRange<UInt64>?, upTo block: UInt64, at time: WallTime) async throws {
        let mode = configuration.mode
        let batch = configuration.batch
        let logging = configuration.logsTaken
        var next = operations?.lowerBound ?? 1
        let end = operations?.upperBound ?? 0
        while next <= end {
            let first = next
            next = try await store.write { writer in
                let page = try writer.chainOperations(from: first, limit: batch)
                    .filter { $0.operation.sequence <= end }
                guard let last = page.last else { return end + 1 }
                for name in Set(page.map(\.operation.name)).sorted() {
                    try NameSettlement.settle(name, upTo: block, mode: mode, logging: logging, at: time, in: writer)
                }
                try writer.set(String(last.operation.sequence), for: ChainSetting.finalSequence)
                return last.operation.sequence + 1
            }
        }
        try await store.write { writer in try writer.setFinal(upTo: block) }
    }

    // MARK: After a start

    private func loaded() async throws -> IndexerCore {
        if let core { return core }
        let configuration = configuration
        return try await store.read { reader in
            let heads = Array(try reader.chainHeads(limit: configuration.limits.heads).reversed())
            let journals = try Self.journals(after: heads, in: reader)
            let blocks = zip(heads, journals).map { head, journal in
                let block = ObservedBlock(
                    number: head.number,
                    hash: head.hash,
                    parent: head.parent,
                    time: WallTime(milliseconds: 0),
                    sealer: nil
                )
                return (block: block, journal: journal)
            }
            return IndexerCore(
                firstBlock: configuration.firstBlock,
                rule: configuration.rule,
                blocks: blocks,
                finalBlock: heads.last(where: \.isFinal)?.number,
                finalSequence: try reader.number(ChainSetting.finalSequence) ?? 0,
                limits: configuration.limits
            )
        }
    }

    /// The journal after each of the blocks, the oldest first.
    private static func journals(after heads: [ChainHead], in reader: any NameStoreReader) throws -> [JournalState] {
        guard let oldest = heads.first else { return [] }
        var tail: [ChainOperation] = []
        var next = try reader.lastChainOperation()
        while let operation = next {
            tail.append(operation)
            guard operation.block > oldest.number, operation.operation.sequence > 1 else { break }
            next = try reader.chainOperations(from: operation.operation.sequence - 1, limit: 1).first
        }
        var journal = JournalState.empty
        return heads.map { head in
            while let operation = tail.last, operation.block <= head.number {
                journal = JournalState(sequence: operation.operation.sequence, head: operation.head)
                tail.removeLast()
            }
            return journal
        }
    }
}
