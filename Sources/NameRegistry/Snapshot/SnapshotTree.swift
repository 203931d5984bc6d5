public import Ethereum

/// The hashes of a snapshot: all records in the order of their names, under one root that can be announced.
///
/// Source: names protocol, "Snapshot".
public enum SnapshotHash {
    /// `keccak256(0x00 ‖ abi.encode(name32, owner, addr, evidence))`; a withdrawn name has a zero account and evidence.
    public static func leaf(_ record: NameRecord) -> Word {
        let account = record.account.map { Word(Address($0)) } ?? .zero
        let words = [record.name.word, Word(record.owner), account, record.evidenceDigest]
        return Word(hashing: [0x00] + words.flatMap(\.bytes))
    }

    /// `keccak256(0x01 ‖ left ‖ right)`.
    public static func node(_ left: Word, _ right: Word) -> Word {
        Word(hashing: [0x01] + left.bytes + right.bytes)
    }
}

/// The root of a snapshot whose records come one after the other; needs memory for one path.
public struct SnapshotRoot: Sendable {
    /// Roots of whole subtrees, the largest first; the sizes are the bits of the count.
    private var subtrees: [Word] = []
    public private(set) var count: UInt64 = 0

    public init() {}

    /// Adds the record with the next name.
    public mutating func append(_ record: NameRecord) {
        append(leaf: SnapshotHash.leaf(record))
    }

    public mutating func append(leaf: Word) {
        var hash = leaf
        for _ in 0..<(~count).trailingZeroBitCount {
            guard let left = subtrees.popLast() else { break }
            hash = SnapshotHash.node(left, hash)
        }
        subtrees.append(hash)
        count += 1
    }

    /// The root of what was added; zero for nothing.
    public var root: Word {
        guard var hash = subtrees.last else { return .zero }
        for left in subtrees.dropLast().reversed() { hash = SnapshotHash.node(left, hash) }
        return hash
    }
}

/// A whole snapshot, for paths to its leaves; needs 64 bytes for each record.
public struct SnapshotTree: Sendable {
    /// The leaves, then the levels above them; a last node without a neighbour goes up as it is.
    private let levels: [[Word]]

    public init(leaves: [Word]) {
        var levels = [leaves]
        while let level = levels.last, level.count > 1 {
            levels.append(
                stride(from: 0, to: level.count, by: 2).map { index in
                    index + 1 < level.count ? SnapshotHash.node(level[index], level[index + 1]) : level[index]
                }
            )
        }
        self.levels = levels
    }

    public var count: Int { levels[0].count }

    /// Zero for an empty snapshot.
    public var root: Word { levels.last?.first ?? .zero }

    /// The neighbours on the way from a leaf to the root; `nil` outside of the snapshot.
    public func path(to index: Int) -> SnapshotPath? {
        guard levels[0].indices.contains(index) else { return nil }
        var (steps, position) = ([SnapshotPath.Step](), index)
        for level in levels.dropLast() {
            let neighbour = position ^ 1
            if neighbour < level.count {
                steps.append(.init(hash: level[neighbour], side: neighbour < position ? .left : .right))
            }
            position /= 2
        }
        return SnapshotPath(steps: steps)
    }
}
