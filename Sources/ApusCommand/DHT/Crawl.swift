import DHT
import Keys

/// A walk over all ids: which places are still to be looked at, and which nodes were seen.
///
/// Pure: who does the searches feeds it with their results. A region is split in halves as long as all nodes that are
/// nearest to its middle lie in it, since then there may be more.
struct Crawl {
    /// All ids that begin with some bits.
    struct Region: Hashable, Sendable {
        /// The lowest id.
        let first: InfoHash
        let depth: Int

        static let all = Region(first: .zero, depth: 0)

        /// An id in the middle.
        var middle: InfoHash { first.settingBit(depth) }

        var halves: [Region] {
            [Region(first: first, depth: depth + 1), Region(first: middle, depth: depth + 1)]
        }

        func contains(_ id: InfoHash) -> Bool {
            id.commonBits(with: first) >= depth
        }
    }

    /// Nodes that a search finds at least when there are enough.
    static let nearest = 8
    /// Regions are not split further: more nodes than a network has would be needed.
    static let depthLimit = 32

    private(set) var nodes: [InfoHash: [NodeSnapshot]] = [:]
    private var waiting = [Region.all]
    private(set) var searched = 0
    private let limit: Int

    /// - Parameter limit: the most searches that are done.
    init(limit: Int) {
        self.limit = limit
    }

    /// The next place to look at; large regions first.
    mutating func next() -> Region? {
        guard searched < limit, !waiting.isEmpty else { return nil }
        searched += 1
        return waiting.removeFirst()
    }

    var isCutShort: Bool { searched >= limit && !waiting.isEmpty }

    /// Takes the nodes nearest to the middle of a region; gives those that were not known.
    mutating func take(_ found: [NodeSnapshot], in region: Region) -> [NodeSnapshot] {
        var new: [NodeSnapshot] = []
        for node in found {
            let known = nodes[node.id, default: []]
            if let index = known.firstIndex(where: { $0.endpoint.family == node.endpoint.family }) {
                if node.health == .good { nodes[node.id]?[index] = node }
            } else {
                nodes[node.id, default: []].append(node)
                new.append(node)
            }
        }
        let families = Dictionary(grouping: found) { $0.endpoint.family }
        let mayHoldMore = families.values.contains { nodes in
            nodes.count >= Self.nearest && nodes.prefix(Self.nearest).allSatisfy { region.contains($0.id) }
        }
        if mayHoldMore, region.depth < Self.depthLimit { waiting += region.halves }
        return new
    }

    /// Those that answered, and all of them, of a family.
    func count(_ family: Endpoint.Family) -> (answered: Int, known: Int) {
        let members = nodes.values.flatMap { $0 }.filter { $0.endpoint.family == family }
        return (members.count { $0.health == .good }, members.count)
    }
}
