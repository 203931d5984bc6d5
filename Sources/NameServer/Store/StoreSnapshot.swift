public import NameRegistry

extension NameStoreReader {
    /// The root over all records in this state of the store, and how many there are; reads them in pieces.
    public func snapshotRoot() throws -> SnapshotRoot {
        var root = SnapshotRoot()
        var last: Name?
        while true {
            let records = try nameRecords(after: last, limit: 5_000)
            for record in records { root.append(record) }
            guard let name = records.last?.name else { return root }
            last = name
        }
    }

    /// A whole snapshot with its records, for paths to them; takes about 200 bytes for each record.
    public func snapshot() throws -> (tree: SnapshotTree, records: [NameRecord]) {
        var all: [NameRecord] = []
        while true {
            let records = try nameRecords(after: all.last?.name, limit: 5_000)
            guard !records.isEmpty else { return (SnapshotTree(leaves: all.map(SnapshotHash.leaf)), all) }
            all += records
        }
    }
}

extension NameStore {
    /// The root over all records; see ``SnapshotRoot``.
    public func snapshotRoot() async throws -> SnapshotRoot {
        try await read { try $0.snapshotRoot() }
    }
}
