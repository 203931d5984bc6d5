/// A three-way merge of trees by whole files.
///
/// Source: conversations protocol, "Merging".
public enum TreeMerge {
    /// What to do with a file that both sides changed differently: an entry to keep, or `nil` for a conflict.
    public typealias Resolver = (_ path: String, _ base: TreeEntry?, _ ours: TreeEntry?, _ theirs: TreeEntry?) ->
        TreeEntry?

    /// Merges two trees.
    ///
    /// - Returns: the name of the merged root tree, whose new objects are in `store`.
    /// - Throws: ``GitError/mergeConflict(path:)`` when a file changed on both sides and `resolve` has no answer.
    public static func merge(
        base: ObjectID?,
        ours: ObjectID,
        theirs: ObjectID,
        from source: some ObjectSource,
        into store: inout ObjectStore,
        resolve: Resolver
    ) throws -> ObjectID {
        try merge(base, ours, theirs, "", 0, source, &store, resolve)
            ?? store.insert(GitObject(kind: .tree, content: []))
    }

    private static func merge(
        _ base: ObjectID?,
        _ ours: ObjectID?,
        _ theirs: ObjectID?,
        _ prefix: String,
        _ depth: Int,
        _ source: some ObjectSource,
        _ store: inout ObjectStore,
        _ resolve: Resolver
    ) throws -> ObjectID? {
        if ours == theirs || theirs == base { return ours }
        if ours == base { return theirs }
        guard depth < TreeDiff.depthLimit else { throw GitError.limitExceeded("depth of a tree") }
        let old = try base.map { try source.tree($0) } ?? .empty
        let left = try ours.map { try source.tree($0) } ?? .empty
        let right = try theirs.map { try source.tree($0) } ?? .empty
        var entries: [TreeEntry] = []
        for name in Set(left.entries.map(\.name)).union(right.entries.map(\.name)) {
            let (baseEntry, ourEntry, theirEntry) = (old[name], left[name], right[name])
            if ourEntry == theirEntry || theirEntry == baseEntry {
                if let ourEntry { entries.append(ourEntry) }
                continue
            }
            if ourEntry == baseEntry {
                if let theirEntry { entries.append(theirEntry) }
                continue
            }
            let path = prefix + String(decoding: name, as: UTF8.self)
            if [baseEntry, ourEntry, theirEntry].allSatisfy({ $0?.isDirectory != false }) {
                let below = path + "/"
                let inner = try merge(
                    baseEntry?.id,
                    ourEntry?.id,
                    theirEntry?.id,
                    below,
                    depth + 1,
                    source,
                    &store,
                    resolve
                )
                if let inner { entries.append(TreeEntry(mode: TreeEntry.directoryMode, name: name, id: inner)) }
                continue
            }
            guard let kept = resolve(path, baseEntry, ourEntry, theirEntry) else {
                throw GitError.mergeConflict(path: path)
            }
            entries.append(kept)
        }
        guard !entries.isEmpty else { return nil }
        return store.insert(GitObject(kind: .tree, content: Tree(entries).content))
    }
}
