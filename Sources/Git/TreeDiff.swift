/// A file that differs between two trees.
public struct TreeChange: Hashable, Sendable {
    public let path: String
    public let old: TreeEntry?
    public let new: TreeEntry?
}

/// The differences between two trees, by whole files; equal subtrees are never opened.
public enum TreeDiff {
    /// The deepest nesting that is followed.
    public static let depthLimit = 16
    /// The most differences that are listed.
    public static let changeLimit = 100_000

    /// Every file (or other leaf) that is not the same, mode included, in both trees.
    ///
    /// Names that are not ASCII are reported as `?`-marked text that no rule can match, so that two such names never pass
    /// for one.
    public static func changes(
        from old: ObjectID?,
        to new: ObjectID?,
        in source: some ObjectSource
    ) throws -> [TreeChange] {
        var result: [TreeChange] = []
        try compare(old, new, prefix: "", depth: 0, source, &result)
        return result
    }

    private static func compare(
        _ old: ObjectID?,
        _ new: ObjectID?,
        prefix: String,
        depth: Int,
        _ source: some ObjectSource,
        _ result: inout [TreeChange]
    ) throws {
        guard old != new else { return }
        guard depth < depthLimit else { throw GitError.limitExceeded("depth of a tree") }
        let before = try old.map { try source.tree($0) } ?? .empty
        let after = try new.map { try source.tree($0) } ?? .empty
        for entry in before.entries where after[entry.name] != entry {
            try compare(entry, after[entry.name], prefix: prefix, depth: depth, source, &result)
        }
        for entry in after.entries where before[entry.name] == nil {
            try compare(nil, entry, prefix: prefix, depth: depth, source, &result)
        }
    }

    private static func compare(
        _ old: TreeEntry?,
        _ new: TreeEntry?,
        prefix: String,
        depth: Int,
        _ source: some ObjectSource,
        _ result: inout [TreeChange]
    ) throws {
        guard let name = (old ?? new)?.name else { return }
        let path = prefix + readable(name)
        let oldLeaf = old?.isDirectory == true ? nil : old
        let newLeaf = new?.isDirectory == true ? nil : new
        if oldLeaf != nil || newLeaf != nil {
            guard result.count < changeLimit else { throw GitError.limitExceeded("changes of a commit") }
            result.append(TreeChange(path: path, old: oldLeaf, new: newLeaf))
        }
        let oldTree = old?.isDirectory == true ? old?.id : nil
        let newTree = new?.isDirectory == true ? new?.id : nil
        try compare(oldTree, newTree, prefix: path + "/", depth: depth + 1, source, &result)
    }

    private static func readable(_ name: [UInt8]) -> String {
        name.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "?") }
            ? String(decoding: name, as: UTF8.self)
            : "?" + name.map { String($0, radix: 16) }.joined(separator: ".")
    }
}
