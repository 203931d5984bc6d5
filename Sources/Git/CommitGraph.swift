/// What history algorithms know of a commit.
public struct CommitNode: Hashable, Sendable {
    public let parents: [ObjectID]
    /// One more than the largest generation of the parents, 0 for a commit without parents.
    public let generation: Int
    /// Committer time, seconds since 1970.
    public let time: Int64

    public init(parents: [ObjectID], generation: Int, time: Int64) {
        self.parents = parents
        self.generation = generation
        self.time = time
    }
}

/// A history: commits with their parents.
///
/// Every parent of a commit in it is in it too.
public protocol CommitGraph {
    func node(_ id: ObjectID) throws -> CommitNode?
}

extension CommitGraph {
    func requiredNode(_ id: ObjectID) throws -> CommitNode {
        guard let node = try node(id) else { throw GitError.missingObject(id) }
        return node
    }

    /// Whether a commit can be reached from another one over parents; every commit reaches itself.
    ///
    /// Costs one look at each commit whose generation lies between the two.
    public func isAncestor(_ ancestor: ObjectID, of descendant: ObjectID) throws -> Bool {
        guard ancestor != descendant else { return true }
        guard let target = try node(ancestor) else { return false }
        var visited: Set<ObjectID> = [descendant]
        var pending = [descendant]
        while let id = pending.popLast() {
            for parent in try requiredNode(id).parents {
                if parent == ancestor { return true }
                guard visited.insert(parent).inserted else { continue }
                if try requiredNode(parent).generation > target.generation { pending.append(parent) }
            }
        }
        return false
    }

    /// The commits reachable from some commits and not from others, descendants first, with the commits just below them.
    ///
    /// - Returns: `commits`, by falling generation, and `boundary`, the excluded parents of those.
    public func difference(
        from wanted: [ObjectID],
        excluding known: [ObjectID]
    ) throws -> (commits: [ObjectID], boundary: Set<ObjectID>) {
        var queue = GenerationQueue()
        var excluded: Set<ObjectID> = []
        var interesting: Set<ObjectID> = []
        for id in known where excluded.insert(id).inserted { queue.insert(id, try requiredNode(id)) }
        for id in wanted where !excluded.contains(id) && interesting.insert(id).inserted {
            queue.insert(id, try requiredNode(id))
        }
        var commits: [ObjectID] = []
        var boundary: Set<ObjectID> = []
        // `interesting` holds what is queued and not excluded: all descendants of a popped commit have been seen before it.
        while !interesting.isEmpty, let (id, node) = queue.popNewest() {
            let isWanted = interesting.remove(id) != nil
            if isWanted { commits.append(id) }
            for parent in node.parents {
                if isWanted {
                    if excluded.contains(parent) || interesting.contains(parent) { continue }
                    interesting.insert(parent)
                    queue.insert(parent, try requiredNode(parent))
                } else if excluded.insert(parent).inserted, interesting.remove(parent) == nil {
                    queue.insert(parent, try requiredNode(parent))
                }
            }
        }
        for id in commits {
            for parent in try requiredNode(id).parents where excluded.contains(parent) { boundary.insert(parent) }
        }
        return (commits, boundary)
    }

    /// The common ancestors of two commits that no other common ancestor reaches, in rising order of names.
    public func mergeBases(_ left: ObjectID, _ right: ObjectID) throws -> [ObjectID] {
        if left == right { return [left] }
        let (fromLeft, fromRight, stale): (UInt8, UInt8, UInt8) = (1, 2, 4)
        var marks: [ObjectID: UInt8] = [left: fromLeft, right: fromRight]
        var queue = GenerationQueue()
        queue.insert(left, try requiredNode(left))
        queue.insert(right, try requiredNode(right))
        var open: Set<ObjectID> = [left, right]
        var bases: [ObjectID] = []
        while !open.isEmpty, let (id, node) = queue.popNewest() {
            open.remove(id)
            var mark = marks[id] ?? 0
            if mark == fromLeft | fromRight {
                bases.append(id)
                mark |= stale
            }
            for parent in node.parents {
                let before = marks[parent]
                let after = (before ?? 0) | mark
                marks[parent] = after
                if before == nil { queue.insert(parent, try requiredNode(parent)) }
                if after & stale != 0 { open.remove(parent) } else { open.insert(parent) }
            }
        }
        return bases.sorted()
    }
}

/// Commits in memory, for tests and for histories that were just received.
public struct CommitTable: CommitGraph, Sendable {
    public private(set) var nodes: [ObjectID: CommitNode] = [:]

    public init() {}

    /// Adds a commit whose parents are known to the table or to another graph.
    public mutating func insert(_ id: ObjectID, _ node: CommitNode) {
        nodes[id] = node
    }

    /// Adds a commit whose parents are all in the table.
    public mutating func insert(_ id: ObjectID, parents: [ObjectID], time: Int64) {
        let generation = parents.map { (nodes[$0]?.generation ?? 0) + 1 }.max() ?? 0
        nodes[id] = CommitNode(parents: parents, generation: generation, time: time)
    }

    public func node(_ id: ObjectID) -> CommitNode? {
        nodes[id]
    }
}

/// A heap of commits by generation, so that descendants always come before their ancestors.
struct GenerationQueue {
    private var heap: [(id: ObjectID, node: CommitNode)] = []

    var count: Int { heap.count }
    var newest: ObjectID? { heap.first?.id }

    private static func isBefore(_ left: (id: ObjectID, node: CommitNode), _ right: (id: ObjectID, node: CommitNode))
        -> Bool
    {
        left.node.generation != right.node.generation
            ? left.node.generation > right.node.generation : left.id < right.id
    }

    mutating func insert(_ id: ObjectID, _ node: CommitNode) {
        heap.append((id, node))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard Self.isBefore(heap[child], heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popNewest() -> (id: ObjectID, node: CommitNode)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < heap.count else { return first }
            let child = left + 1 < heap.count && Self.isBefore(heap[left + 1], heap[left]) ? left + 1 : left
            guard Self.isBefore(heap[child], heap[parent]) else { return first }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
