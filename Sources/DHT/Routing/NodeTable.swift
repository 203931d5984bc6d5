import Keys
import Runtime

/// All known nodes in slots, and sorted by id for each address family.
///
/// What has two addresses is two nodes here. Slots are freed only by ``sweep(keeping:)``, so that an index held anywhere
/// never points to another node.
///
/// A class with memory of its own, since every packet and every list of nodes reads it: as a part of a value it would be
/// retained, and its accesses would be checked, each time. It must stay in one isolation domain.
@safe final class NodeTable {
    private struct Listing: Sendable {
        var byID: [InfoHash: NodeIndex] = [:]
        var order: [(id: InfoHash, index: NodeIndex)] = []

        /// The first position whose id is not below an id.
        func position(of id: InfoHash) -> Int {
            var low = 0
            var high = order.count
            while low < high {
                let middle = (low + high) / 2
                if order[middle].id < id { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    // There is room for `capacity` nodes, of which the first `used` are initialised and stay so until the end. Nodes are
    // plain numbers, and are copied out and in, so that nobody holds on to memory that moves.
    private var slots = UnsafeMutablePointer<Node>.allocate(capacity: 16)
    private var capacity = 16
    private var used = 0
    private var free: [Int32] = []
    private var listings = PerFamily { _ in Listing() }
    private(set) var newSinceSweep = 0
    /// Nodes of one family.
    let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { Endpoint.Family.all.reduce(0) { $0 + count(of: $1) } }

    func count(of family: Endpoint.Family) -> Int {
        listings[family].order.count
    }

    func index(of id: InfoHash, family: Endpoint.Family) -> NodeIndex? {
        listings[family].byID[id]
    }

    deinit {
        unsafe slots.deallocate()
    }

    subscript(index: NodeIndex) -> Node {
        get { unsafe slots[slot(index)] }
        _modify {
            let slot = slot(index)
            var node = unsafe slots[slot]
            defer { unsafe slots[slot] = node }
            yield &node
        }
    }

    /// Where a node stands; traps when there is none.
    private func slot(_ index: NodeIndex) -> Int {
        let slot = Int(index.slot)
        precondition(slot >= 0 && slot < used, "An index is from another table")
        precondition(unsafe !slots[slot].isForgotten, "An index outlived its node")
        return slot
    }

    /// Takes note that a node of a bucket sent something; `nil` when there is more to it than that.
    func touch(_ contact: Contact, isClient: Bool, now: Instant) -> NodeIndex? {
        guard let index = index(of: contact.id, family: contact.endpoint.family) else { return nil }
        let slot = slot(index)
        guard unsafe slots[slot].isListed, unsafe !slots[slot].isExpired, unsafe slots[slot].isClient == isClient else {
            return nil
        }
        unsafe slots[slot].endpoint = contact.endpoint
        unsafe slots[slot].lastSeen = now
        return index
    }

    /// Adds a node that must not be there yet; `nil` when the table is full.
    func insert(_ node: Node) -> NodeIndex? {
        let family = node.family
        guard count(of: family) < limit else { return nil }
        let index: NodeIndex
        if let slot = free.popLast() {
            index = NodeIndex(slot: slot)
            unsafe slots[Int(slot)] = node
        } else {
            if used == capacity { grow() }
            index = NodeIndex(slot: Int32(used))
            unsafe (slots + used).initialize(to: node)
            used += 1
        }
        listings[family].byID[node.id] = index
        listings[family].order.insert((node.id, index), at: listings[family].position(of: node.id))
        newSinceSweep += 1
        return index
    }

    private func grow() {
        let larger = UnsafeMutablePointer<Node>.allocate(capacity: 2 * capacity)
        unsafe larger.moveInitialize(from: slots, count: used)
        unsafe slots.deallocate()
        unsafe slots = larger
        capacity *= 2
    }

    /// Nodes near a target, walking from its place in the order to both sides; neither expired nor clients.
    func near(_ target: InfoHash, family: Endpoint.Family, count: Int) -> [NodeIndex] {
        var result: [NodeIndex] = []
        let order = listings[family].order
        var up = listings[family].position(of: target)
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
    func sample(_ count: Int, family: Endpoint.Family, using randomness: inout Randomness) -> [NodeIndex] {
        let order = listings[family].order
        guard order.count > count else { return order.map(\.index) }
        let start = Int.random(in: 0..<order.count, using: &randomness)
        return (0..<count).map { order[(start + $0) % order.count].index }
    }

    /// Frees every node that is not among those to keep.
    func sweep(keeping kept: Set<NodeIndex>) {
        newSinceSweep = 0
        for family in Endpoint.Family.all {
            let freed = listings[family].order.filter { !kept.contains($0.index) }
            guard !freed.isEmpty else { continue }
            listings[family].order.removeAll { !kept.contains($0.index) }
            for entry in freed {
                listings[family].byID[entry.id] = nil
                self[entry.index].isForgotten = true
                free.append(entry.index.slot)
            }
        }
    }

    /// Applies a change to all nodes of a family, in the order of their ids.
    func updateAll(of family: Endpoint.Family, _ change: (inout Node) -> Void) {
        for entry in listings[family].order { change(&self[entry.index]) }
    }

    /// All nodes of a family, in the order of their ids.
    func all(of family: Endpoint.Family) -> [Node] {
        listings[family].order.map { self[$0.index] }
    }
}
