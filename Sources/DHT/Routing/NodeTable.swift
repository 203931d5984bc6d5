import Keys
import Runtime

/// All known nodes of one family, in slots, and sorted by id.
///
/// Slots are freed only by ``sweep(keeping:)``, so that an index held anywhere never points to another node.
struct NodeTable: Sendable {
    private var slots: [Node?] = []
    private var free: [Int32] = []
    private var byID: [InfoHash: NodeIndex] = [:]
    private var order: [(id: InfoHash, index: NodeIndex)] = []
    private(set) var newSinceSweep = 0
    let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { order.count }

    func index(of id: InfoHash) -> NodeIndex? {
        byID[id]
    }

    subscript(index: NodeIndex) -> Node {
        get {
            guard let node = slots[Int(index.slot)] else { preconditionFailure("An index outlived its node") }
            return node
        }
        _modify {
            guard var node = slots[Int(index.slot)] else { preconditionFailure("An index outlived its node") }
            defer { slots[Int(index.slot)] = node }
            yield &node
        }
    }

    /// Adds a node that must not be there yet; `nil` when the table is full.
    mutating func insert(_ node: Node) -> NodeIndex? {
        guard order.count < limit else { return nil }
        let index: NodeIndex
        if let slot = free.popLast() {
            index = NodeIndex(slot: slot)
            slots[Int(slot)] = node
        } else {
            index = NodeIndex(slot: Int32(slots.count))
            slots.append(node)
        }
        byID[node.id] = index
        order.insert((node.id, index), at: position(of: node.id))
        newSinceSweep += 1
        return index
    }

    /// The first position whose id is not below an id.
    private func position(of id: InfoHash) -> Int {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if order[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Nodes near a target, walking from its place in the order to both sides; neither expired nor clients.
    func near(_ target: InfoHash, count: Int) -> [NodeIndex] {
        var result: [NodeIndex] = []
        var up = position(of: target)
        var down = up - 1
        while result.count < count, up < order.count || down >= 0 {
            let takesUp: Bool
            if up >= order.count {
                takesUp = false
            } else if down < 0 {
                takesUp = true
            } else {
                takesUp = order[up].id.isCloser(to: target, than: order[down].id)
            }
            let index = order[takesUp ? up : down].index
            if takesUp { up += 1 } else { down -= 1 }
            let node = self[index]
            if !node.isExpired && !node.isClient { result.append(index) }
        }
        return result
    }

    /// Nodes drawn at random, expired or not.
    func sample(_ count: Int, using randomness: inout Randomness) -> [NodeIndex] {
        guard order.count > count else { return order.map(\.index) }
        let start = Int.random(in: 0..<order.count, using: &randomness)
        return (0..<count).map { order[(start + $0) % order.count].index }
    }

    /// Frees every node that is not among those to keep.
    mutating func sweep(keeping kept: Set<NodeIndex>) {
        newSinceSweep = 0
        order.removeAll { entry in
            guard !kept.contains(entry.index) else { return false }
            byID[entry.id] = nil
            slots[Int(entry.index.slot)] = nil
            free.append(entry.index.slot)
            return true
        }
    }

    /// Applies a change to all nodes, in the order of their ids.
    mutating func updateAll(_ change: (inout Node) -> Void) {
        for entry in order { change(&self[entry.index]) }
    }

    /// All nodes, in the order of their ids.
    var all: [Node] { order.map { self[$0.index] } }
}
