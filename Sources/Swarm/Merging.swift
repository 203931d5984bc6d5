import Git
import Runtime

/// Brings two heads together.
///
/// Source: conversations protocol, "Merging".
enum Merging {
    /// How deep merge bases are themselves merged when there are several.
    private static let depthLimit = 8

    static func merge(
        _ remote: ObjectID,
        into local: ObjectID,
        in store: ConversationStore,
        signer: CommitSigner,
        at time: WallTime
    ) throws -> (record: CommitRecord, firstMoved: Int) {
        var objects = ObjectStore()
        let tree = try mergedTree(local, remote, in: store, into: &objects, depth: 0)
        for path in [ConversationPath.device(signer.device)] where try store.entry(at: path.text, in: tree) == nil {
            throw SwarmError.deviceNotListed
        }
        let roles = [ConversationPath.member(signer.account), .admin(signer.account)]
        guard try roles.contains(where: { try store.entry(at: $0.text, in: tree) != nil }) else {
            throw SwarmError.notMember
        }
        let commit = try CommitWriter.sign(
            tree: tree,
            parents: [local, remote],
            message: CommitMessage.mergeText(remote),
            signer: signer,
            at: time
        )
        return try CommitWriter.store(commit, with: objects, in: store)
    }

    private static func mergedTree(
        _ ours: ObjectID,
        _ theirs: ObjectID,
        in store: ConversationStore,
        into objects: inout ObjectStore,
        depth: Int
    ) throws -> ObjectID {
        let bases = try store.mergeBases(ours, theirs)
        var base = try bases.first.map { try store.tree(of: $0) }
        if depth < depthLimit {
            // Several bases that contradict each other are no better than one of them.
            for (first, other) in zip(bases, bases.dropFirst()) {
                base = (try? mergedTree(first, other, in: store, into: &objects, depth: depth + 1)) ?? base
            }
        }
        let tree = try TreeMerge.merge(
            base: base,
            ours: store.tree(of: ours),
            theirs: store.tree(of: theirs),
            from: store,
            into: &objects
        ) { path, base, left, right in
            guard path == ConversationPath.profile.text, base != nil, left != nil, right != nil else { return nil }
            return ours > theirs ? left : right
        }
        store.stage(objects)
        return tree
    }
}
