/// The moments of a commit at which a process may die or a medium may fail, for tests that let them.
package enum StoreStep: String, Sendable, CaseIterable {
    case beforeLogWrite
    case afterLogWrite
    case afterLogSync
    case beforeCommit
    case afterCommit
    case beforeVoidWrite
    case beforeCut
}

/// Called at each step; what it throws counts as a failure of the medium there.
package typealias StoreSteps = @Sendable (StoreStep) throws(NameStoreError) -> Void
