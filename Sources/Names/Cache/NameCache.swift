package import Keys
package import NameRegistry
package import Runtime

/// What was answered not long ago, bounded in size and in time.
///
/// Only verified positive answers and plain negative ones are kept. An entry that is too old to answer with still remembers
/// that a name was signed. Source: names protocol, "Clients of ours".
package struct NameCache: Sendable {
    package static let positiveLifetime = Duration.seconds(86_400)
    package static let negativeLifetime = Duration.seconds(60)

    package struct Entry: Hashable, Sendable {
        /// `nil` for "nobody has it".
        package let account: InfoHash?
        package let assurance: NameAssurance
        package let server: NameServerAddress
        package let time: WallTime

        package init(account: InfoHash?, assurance: NameAssurance, server: NameServerAddress, time: WallTime) {
            self.account = account
            self.assurance = assurance
            self.server = server
            self.time = time
        }

        fileprivate func isFresh(at now: WallTime) -> Bool {
            let lifetime = account == nil ? NameCache.negativeLifetime : NameCache.positiveLifetime
            // An entry from the future was written before the clock was set back.
            return time <= now && now.milliseconds - time.milliseconds < lifetime.wholeMilliseconds
        }
    }

    private struct Key: Hashable {
        let server: NameServerAddress
        let name: Name
    }

    package let capacity: Int
    private var entries: [Key: Entry] = [:]

    package init(capacity: Int = 4_096) {
        self.capacity = max(capacity, 1)
    }

    package var count: Int { entries.count }

    /// An answer of a server that is young enough to be given again.
    package func fresh(_ name: Name, of server: NameServerAddress, at now: WallTime) -> Entry? {
        guard let entry = entries[Key(server: server, name: name)], entry.isFresh(at: now) else { return nil }
        return entry
    }

    /// The account that a server once showed to have signed a name, however long ago.
    package func signer(of name: Name, at server: NameServerAddress) -> InfoHash? {
        guard let entry = entries[Key(server: server, name: name)], entry.assurance >= .signed else { return nil }
        return entry.account
    }

    package mutating func remember(_ entry: Entry, for name: Name) {
        // Unsigned words are asked for each time; a denial does not make forgotten who signed.
        guard entry.account == nil || entry.assurance >= .signed else { return }
        let key = Key(server: entry.server, name: name)
        if entry.account == nil, signer(of: name, at: entry.server) != nil { return }
        if entries[key] == nil, entries.count >= capacity { makeRoom() }
        entries[key] = entry
    }

    package mutating func forget(_ name: Name) {
        entries = entries.filter { $0.key.name != name }
    }

    /// Drops the oldest eighth, so that a full cache is not searched for each new entry.
    private mutating func makeRoom() {
        let times = entries.values.map(\.time).sorted()
        let horizon = times[min(times.count / 8, times.count - 1)]
        entries = entries.filter { $0.value.time > horizon }
    }

    /// The positive entries of a server, in the order of their names.
    package func positives(of server: NameServerAddress) -> [(name: Name, entry: Entry)] {
        entries.filter { $0.key.server == server && $0.value.account != nil }
            .map { (name: $0.key.name, entry: $0.value) }
            .sorted { $0.name < $1.name }
    }
}
