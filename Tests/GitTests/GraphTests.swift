import Git
import TestSupport
import Testing

/// A random history: a few branches that fork and merge, with many equal times.
struct RandomHistory {
    var table = CommitTable()
    var ids: [ObjectID] = []

    static func name(_ number: Int) -> ObjectID {
        ObjectID(hashing: Array("commit \(number)".utf8), as: .blob)
    }

    init(seed: UInt64, count: Int) {
        var rng = SeededGenerator(seed: seed)
        var time: Int64 = 1000
        for number in 0..<count {
            let id = Self.name(number)
            var parents: [ObjectID] = []
            if let last = ids.last {
                let reach = ids.suffix(6)
                parents = [Int.random(in: 0..<3, using: &rng) == 0 ? reach.randomElement(using: &rng) ?? last : last]
                if Int.random(in: 0..<4, using: &rng) == 0, let other = reach.randomElement(using: &rng),
                    other != parents[0]
                {
                    parents.append(other)
                }
            }
            time += Int64.random(in: -1...2, using: &rng)
            table.insert(id, parents: parents, time: time)
            ids.append(id)
        }
    }

    func reachable(_ start: ObjectID) -> Set<ObjectID> {
        var seen: Set<ObjectID> = []
        var pending = [start]
        while let id = pending.popLast() {
            if seen.insert(id).inserted { pending += table.node(id)?.parents ?? [] }
        }
        return seen
    }
}

@Suite struct LinearOrderTests {
    private func table(_ commits: [JSONVector]) -> CommitTable {
        var table = CommitTable()
        for commit in commits {
            guard let id = ObjectID(hex: commit["id"].text) else { continue }
            let parents = commit["parents"].elements.compactMap { ObjectID(hex: $0.text) }
            table.insert(id, parents: parents, time: Int64(commit["time"].integer))
        }
        return table
    }

    @Test func `random graphs with equal times come in the order of the real library`() throws {
        let graphs = try vector("swarm-linear")["synthetic"].elements
        #expect(graphs.count == 12)
        for graph in graphs {
            let head = try #require(ObjectID(hex: graph["head"].text))
            let order = try LinearOrder.newestFirst(from: head, in: table(graph["commits"].elements))
            #expect(order.map(\.hex) == graph["order"].elements.map(\.text))
        }
    }

    @Test func `the group conversation comes in the order of the real library`() throws {
        let expected = try vector("swarm-linear")["group"]
        let head = try #require(ObjectID(hex: expected["head"].text))
        let table = try CommitTable(GitBundle("swarm-group").read(), from: head)
        let order = try LinearOrder.newestFirst(from: head, in: table)
        #expect(order.map(\.hex) == expected["order"].elements.map(\.text))
    }

    @Test(arguments: Array(1...40) as [UInt64])
    func `putting only the tail in order again gives the whole order`(seed: UInt64) throws {
        let history = RandomHistory(seed: seed, count: 60)
        let table = history.table
        var placed: [ObjectID] = []
        for id in history.ids {
            let reachable = history.reachable(id)
            guard placed.allSatisfy({ reachable.contains($0) }) else { continue }
            let known = Set(placed)
            let (moved, anchor) = try LinearOrder.tail(from: id, in: table) { known.contains($0) }
            let kept = anchor.flatMap { placed.firstIndex(of: $0) }.map { placed[...$0] } ?? []
            placed = Array(kept) + moved.reversed()
            #expect(try placed == LinearOrder.newestFirst(from: id, in: table).reversed())
        }
    }

    @Test func `a commit on top of the head moves nothing else`() throws {
        let history = RandomHistory(seed: 5, count: 200)
        var table = history.table
        let head = try #require(history.ids.last)
        let known = Set(try LinearOrder.newestFirst(from: head, in: table))
        let next = RandomHistory.name(1000)
        table.insert(next, parents: [head], time: 5)
        let (moved, anchor) = try LinearOrder.tail(from: next, in: table) { known.contains($0) }
        #expect(moved == [next])
        #expect(anchor == head)
    }
}

@Suite struct AncestryTests {
    @Test(arguments: Array(1...30) as [UInt64])
    func `ancestry, difference and merge bases agree with their definitions`(seed: UInt64) throws {
        let history = RandomHistory(seed: seed, count: 40)
        var rng = SeededGenerator(seed: seed)
        for _ in 0..<40 {
            guard let left = history.ids.randomElement(using: &rng), let right = history.ids.randomElement(using: &rng)
            else { continue }
            let (below, belowRight) = (history.reachable(left), history.reachable(right))
            #expect(try history.table.isAncestor(right, of: left) == below.contains(right))

            let (commits, boundary) = try history.table.difference(from: [left], excluding: [right])
            #expect(Set(commits) == below.subtracting(belowRight))
            #expect(commits.count == Set(commits).count)
            let parents = Set(commits.flatMap { history.table.node($0)?.parents ?? [] })
            #expect(boundary == parents.intersection(belowRight))

            let common = below.intersection(belowRight)
            let bases = common.filter { base in
                !common.contains { $0 != base && history.reachable($0).contains(base) }
            }
            #expect(try Set(history.table.mergeBases(left, right)) == bases)
        }
    }

    @Test func `an unknown commit is an error and no trap`() throws {
        let history = RandomHistory(seed: 1, count: 5)
        let stranger = RandomHistory.name(99)
        #expect(try !history.table.isAncestor(stranger, of: history.ids[3]))
        #expect(throws: GitError.self) { try history.table.mergeBases(stranger, history.ids[3]) }
        #expect(throws: GitError.self) { try LinearOrder.newestFirst(from: stranger, in: history.table) }
    }
}
