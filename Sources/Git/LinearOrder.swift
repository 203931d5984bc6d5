/// The one order in which every member shows a history.
///
/// A topological walk that prefers later committer times; commits of one time come in the order in which a certain binary
/// heap happens to yield them, so that heap is part of the protocol. Source: conversations protocol, "Linear order".
public enum LinearOrder {
    /// All commits reachable from one, newest first.
    public static func newestFirst(from start: ObjectID, in graph: some CommitGraph) throws -> [ObjectID] {
        var nodes: [ObjectID: CommitNode] = [start: try graph.requiredNode(start)]
        var pending = [start]
        while let id = pending.popLast() {
            for parent in nodes[id]?.parents ?? [] where nodes[parent] == nil {
                nodes[parent] = try graph.requiredNode(parent)
                pending.append(parent)
            }
        }
        return newestFirst(from: start, within: nodes)
    }

    /// The commits of a set that are reachable from one, newest first; parents outside of the set are left out.
    public static func newestFirst(from start: ObjectID, within nodes: [ObjectID: CommitNode]) -> [ObjectID] {
        var walk = Walk(nodes, start: start)
        return walk.run()
    }

    /// The newest part of a history that has to be put in order again when its head moves.
    ///
    /// - Returns: `moved`, newest first: the commits above `anchor`, which every path from the head passes; the order of
    ///   `anchor` and of everything below it is what it was. Without an anchor the whole history moved.
    public static func tail(
        from head: ObjectID,
        in graph: some CommitGraph,
        isPlaced: (ObjectID) throws -> Bool
    ) throws -> (moved: [ObjectID], anchor: ObjectID?) {
        var queue = GenerationQueue()
        var region: [ObjectID: CommitNode] = [:]
        var seen: Set<ObjectID> = [head]
        queue.insert(head, try graph.requiredNode(head))
        while true {
            // Alone in the queue, a commit has all the rest below it: the walk yields it when nothing else is left.
            if queue.count == 1, let only = queue.newest, try isPlaced(only) {
                return (region.isEmpty ? [] : newestFirst(from: head, within: region), only)
            }
            guard let (id, node) = queue.popNewest() else { return (newestFirst(from: head, within: region), nil) }
            region[id] = node
            for parent in node.parents where seen.insert(parent).inserted {
                queue.insert(parent, try graph.requiredNode(parent))
            }
        }
    }
}

/// The walk on dense numbers instead of names.
private struct Walk {
    private var ids: [ObjectID] = []
    private var times: [Int64] = []
    private var parents: [[Int32]] = []
    private var degrees: [Int32] = []
    private var heap: [Int32] = []

    /// Numbers what is reachable from the start within the set and counts the links to each commit.
    init(_ nodes: [ObjectID: CommitNode], start: ObjectID) {
        guard let first = nodes[start] else { return }
        var numbers: [ObjectID: Int32] = [start: 0]
        ids.reserveCapacity(nodes.count)
        ids.append(start)
        var found = [first]
        var next = 0
        while next < found.count {
            let node = found[next]
            var links: [Int32] = []
            links.reserveCapacity(node.parents.count)
            for parent in node.parents {
                if let number = numbers[parent] {
                    links.append(number)
                } else if let parentNode = nodes[parent] {
                    let number = Int32(ids.count)
                    numbers[parent] = number
                    ids.append(parent)
                    found.append(parentNode)
                    links.append(number)
                }
            }
            times.append(node.time)
            parents.append(links)
            next += 1
        }
        degrees = Array(repeating: 0, count: ids.count)
        for links in parents {
            for link in links { degrees[Int(link)] += 1 }
        }
    }

    mutating func run() -> [ObjectID] {
        guard !ids.isEmpty else { return [] }
        var order: [ObjectID] = []
        order.reserveCapacity(ids.count)
        push(0)
        while let number = pop() {
            order.append(ids[Int(number)])
            for parent in parents[Int(number)] {
                degrees[Int(parent)] -= 1
                if degrees[Int(parent)] == 0 { push(parent) }
            }
        }
        return order
    }

    private mutating func push(_ number: Int32) {
        let time = times[Int(number)]
        heap.append(number)
        var index = heap.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard times[Int(heap[parent])] < time else { break }
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = number
    }

    private mutating func pop() -> Int32? {
        guard let top = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return top }
        let time = times[Int(last)]
        var index = 0
        while 2 * index + 1 < heap.count {
            var child = 2 * index + 1
            if child + 1 < heap.count, times[Int(heap[child + 1])] > times[Int(heap[child])] { child += 1 }
            guard time < times[Int(heap[child])] else { break }
            heap[index] = heap[child]
            index = child
        }
        heap[index] = last
        return top
    }
}
