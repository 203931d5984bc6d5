/// Changes to the files below a tree, written as new tree objects at the end.
public struct TreeEditor: Sendable {
    private var changes: [String: ObjectID?] = [:]

    public init() {}

    public var isEmpty: Bool { changes.isEmpty }

    /// Puts a regular file at a path.
    public mutating func set(_ path: String, to blob: ObjectID) {
        changes.updateValue(blob, forKey: path)
    }

    /// Takes a file away; directories that become empty go with it.
    public mutating func remove(_ path: String) {
        changes.updateValue(nil, forKey: path)
    }

    /// Writes the changed trees as new objects into `store` and answers the new root tree.
    ///
    /// Starts from the tree `base`, or from an empty one.
    public func apply(to base: ObjectID?, from source: some ObjectSource, into store: inout ObjectStore) throws
        -> ObjectID
    {
        let split = changes.map { path, blob in
            (path: path.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }[...], blob: blob)
        }
        let root = try Self.apply(split, to: base, from: source, into: &store)
        return root ?? store.insert(GitObject(kind: .tree, content: []))
    }

    private typealias Change = (path: ArraySlice<[UInt8]>, blob: ObjectID?)

    private static func apply(
        _ changes: [Change],
        to base: ObjectID?,
        from source: some ObjectSource,
        into store: inout ObjectStore
    ) throws -> ObjectID? {
        var entries: [[UInt8]: TreeEntry] = [:]
        if let base {
            for entry in try source.tree(base).entries { entries[entry.name] = entry }
        }
        for (name, group) in Dictionary(grouping: changes, by: { $0.path.first ?? [] }) {
            if let leaf = group.first(where: { $0.path.count == 1 }) {
                entries[name] = leaf.blob.map { TreeEntry(mode: TreeEntry.fileMode, name: name, id: $0) }
                continue
            }
            let below = entries[name].flatMap { $0.isDirectory ? $0.id : nil }
            let inner = try apply(group.map { ($0.path.dropFirst(), $0.blob) }, to: below, from: source, into: &store)
            entries[name] = inner.map { TreeEntry(mode: TreeEntry.directoryMode, name: name, id: $0) }
        }
        guard !entries.isEmpty else { return nil }
        return store.insert(GitObject(kind: .tree, content: Tree(Array(entries.values)).content))
    }
}
