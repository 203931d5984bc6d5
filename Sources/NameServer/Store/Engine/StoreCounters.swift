import Synchronization

/// Counts of a store's threads.
final class StoreCounters: Sendable {
    let lookups = Atomic<UInt64>(0)
    let registrations = Atomic<UInt64>(0)
    let commits = Atomic<UInt64>(0)
    let failedCommits = Atomic<UInt64>(0)

    var statistics: NameStoreStatistics {
        var statistics = NameStoreStatistics()
        statistics.lookups = lookups.load(ordering: .relaxed)
        statistics.registrations = registrations.load(ordering: .relaxed)
        statistics.commits = commits.load(ordering: .relaxed)
        statistics.failedCommits = failedCommits.load(ordering: .relaxed)
        return statistics
    }
}
