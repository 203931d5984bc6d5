import NameRegistry

extension NameStoreReader {
    /// The registry's journal after a block, by the operations that were read from the chain.
    func chainJournal(upTo block: UInt64) throws -> JournalState {
        var next = try lastChainOperation()
        while let operation = next, operation.block > block {
            let before = operation.operation.sequence - 1
            next = before == 0 ? nil : try chainOperations(from: before, limit: 1).first
        }
        return next.map { JournalState(sequence: $0.operation.sequence, head: $0.head) } ?? .empty
    }
}
