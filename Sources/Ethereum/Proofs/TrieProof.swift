/// Looks up a key in a Merkle-Patricia trie of which only the nodes on the way are there.
///
/// Source: Ethereum Yellow Paper, appendix D; EIP-1186; names protocol, "Proofs".
public enum TrieProof {
    public static let maximumNodeCount = 64
    public static let maximumNodeByteCount = 4_096
    /// The root of a trie without keys: the hash of the empty string's RLP.
    public static let emptyRoot = Word(hashing: [0x80])

    /// The value under a key, or `nil` when the nodes prove that there is none.
    ///
    /// The path is the key as the trie has it; in the tries of a chain that is a hash. The nodes stand root first; those
    /// below the first that are shorter than a hash are embedded in the one above and skipped.
    public static func value(at path: [UInt8], root: Word, nodes: [[UInt8]]) throws(ProofError) -> [UInt8]? {
        guard nodes.count <= maximumNodeCount, nodes.allSatisfy({ $0.count <= maximumNodeByteCount }) else {
            throw .tooLarge
        }
        guard !nodes.isEmpty else {
            guard root == emptyRoot else { throw .truncated }
            return nil
        }
        var walk = TrieWalk(path: path)
        var reference = TrieWalk.Step.hash(root)
        var isRoot = true
        for node in nodes where isRoot || node.count >= Word.byteCount {
            isRoot = false
            guard case .hash(let expected) = reference else { throw .surplusNodes }
            guard Word(hashing: node) == expected else { throw .otherHash }
            reference = try walk.descend(node)
        }
        switch reference {
        case .hash: throw .truncated
        case .found(let value): return value
        case .absent: return nil
        }
    }
}

/// The way from a node down to where the next node's hash stands, or to the end.
private struct TrieWalk {
    enum Step {
        case hash(Word)
        case found([UInt8])
        case absent
    }

    /// Half bytes.
    private let path: [UInt8]
    private var consumed = 0

    init(path: [UInt8]) {
        self.path = path.flatMap { [$0 >> 4, $0 & 15] }
    }

    /// Goes through one node and those embedded in it.
    mutating func descend(_ node: [UInt8]) throws(ProofError) -> Step {
        do throws(RLPError) {
            let bytes = node.span
            var item = try RLP.item(in: bytes, at: 0, end: bytes.count)
            guard item.whole.upperBound == bytes.count else { throw .trailingBytes }
            // Each embedded node is shorter than the one around it, so this ends.
            while true {
                switch try step(into: item, in: bytes) {
                case .end(let step): return step
                case .embedded(let next): item = next
                }
            }
        } catch {
            throw .malformedNode
        }
    }

    private enum Move {
        case end(Step)
        case embedded(RLP.Item)
    }

    private mutating func step(into node: RLP.Item, in bytes: Span<UInt8>) throws(RLPError) -> Move {
        let items = try RLP.items(of: node, in: bytes, limit: 17)
        switch items.count {
        case 17: return try branch(items, in: bytes)
        case 2: return try pair(items, in: bytes)
        default: throw .unexpectedItem
        }
    }

    private mutating func branch(_ items: [RLP.Item], in bytes: Span<UInt8>) throws(RLPError) -> Move {
        guard consumed < path.count else {
            guard !items[16].isList else { throw .unexpectedItem }
            let value = bytes.array(items[16].payload)
            return .end(value.isEmpty ? .absent : .found(value))
        }
        let child = items[Int(path[consumed])]
        consumed += 1
        if !child.isList, child.payload.isEmpty { return .end(.absent) }
        return try follow(child, in: bytes)
    }

    private mutating func pair(_ items: [RLP.Item], in bytes: Span<UInt8>) throws(RLPError) -> Move {
        guard !items[0].isList, let prefix = HexPrefix(bytes.array(items[0].payload)) else { throw .unexpectedItem }
        let rest = path[consumed...]
        if prefix.isLeaf {
            guard !items[1].isList, !items[1].payload.isEmpty else { throw .unexpectedItem }
            return .end(rest.elementsEqual(prefix.nibbles) ? .found(bytes.array(items[1].payload)) : .absent)
        }
        guard !prefix.nibbles.isEmpty else { throw .unexpectedItem }
        guard rest.starts(with: prefix.nibbles) else {
            // The child's reference must be one all the same.
            _ = try follow(items[1], in: bytes)
            return .end(.absent)
        }
        consumed += prefix.nibbles.count
        return try follow(items[1], in: bytes)
    }

    /// A reference: the hash of a node, or a node that is shorter than a hash.
    private func follow(_ item: RLP.Item, in bytes: Span<UInt8>) throws(RLPError) -> Move {
        if item.isList {
            guard item.whole.count < Word.byteCount else { throw .unexpectedItem }
            return .embedded(item)
        }
        guard item.payload.count == Word.byteCount else { throw .unexpectedItem }
        return .end(.hash(Word(in: bytes, at: item.payload.lowerBound)))
    }
}

/// A part of a path in a leaf or an extension.
private struct HexPrefix {
    let isLeaf: Bool
    let nibbles: [UInt8]

    init?(_ bytes: [UInt8]) {
        guard let first = bytes.first, first >> 4 <= 3 else { return nil }
        isLeaf = first >> 4 >= 2
        let isOdd = first >> 4 & 1 == 1
        guard isOdd || first & 15 == 0 else { return nil }
        nibbles = (isOdd ? [first & 15] : []) + bytes.dropFirst().flatMap { [$0 >> 4, $0 & 15] }
    }
}
