import Ethereum

/// A Merkle-Patricia trie of 32-byte keys, built to be proved from.
indirect enum TrieBuilder {
    case leaf([UInt8], [UInt8])
    case stem([UInt8], TrieBuilder)
    case branch([TrieBuilder?])

    /// A trie of the hashes of keys; `nil` without any.
    init?(hashing entries: [[UInt8]: [UInt8]]) {
        let paths = entries.map { (Self.path(of: $0.key), $0.value) }
        guard !paths.isEmpty else { return nil }
        self.init(paths)
    }

    private init(_ entries: [([UInt8], [UInt8])]) {
        guard entries.count > 1 else {
            self = .leaf(entries[0].0, entries[0].1)
            return
        }
        var common = 0
        while entries.allSatisfy({ $0.0[common] == entries[0].0[common] }) { common += 1 }
        guard common == 0 else {
            self = .stem(Array(entries[0].0[..<common]), TrieBuilder(entries.map { (Array($0.0[common...]), $0.1) }))
            return
        }
        self = .branch(
            (0..<16).map { nibble in
                let below = entries.filter { $0.0[0] == nibble }.map { (Array($0.0[1...]), $0.1) }
                return below.isEmpty ? nil : TrieBuilder(below)
            }
        )
    }

    static func path(of key: [UInt8]) -> [UInt8] {
        Word(hashing: key).bytes.flatMap { [$0 >> 4, $0 & 15] }
    }

    static func root(of trie: TrieBuilder?) -> Word {
        trie.map { Word(hashing: $0.node.encoded) } ?? TrieProof.emptyRoot
    }

    private var node: RLPValue {
        switch self {
        case .leaf(let path, let value): .list([.bytes(Self.prefix(path, isLeaf: true)), .bytes(value)])
        case .stem(let path, let child): .list([.bytes(Self.prefix(path, isLeaf: false)), child.reference])
        case .branch(let children): .list(children.map { $0?.reference ?? .bytes([]) } + [.bytes([])])
        }
    }

    private var reference: RLPValue {
        let node = node
        return node.encoded.count < 32 ? node : .word(Word(hashing: node.encoded))
    }

    private static func prefix(_ path: [UInt8], isLeaf: Bool) -> [UInt8] {
        let flag: UInt8 = isLeaf ? 2 : 0
        let nibbles = path.count % 2 == 1 ? [flag + 1] + path : [flag, 0] + path
        return stride(from: 0, to: nibbles.count, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
    }

    /// The nodes on the way to a key, root first, without those that are embedded.
    static func proof(of key: [UInt8], in trie: TrieBuilder?) -> [[UInt8]] {
        guard let trie else { return [] }
        var nodes: [[UInt8]] = []
        var path = path(of: key)[...]
        var current: TrieBuilder? = trie
        while let node = current {
            let encoded = node.node.encoded
            if nodes.isEmpty || encoded.count >= 32 { nodes.append(encoded) }
            switch node {
            case .leaf: current = nil
            case .stem(let stem, let child):
                current = path.starts(with: stem) ? child : nil
                path = path.dropFirst(stem.count)
            case .branch(let children): current = path.popFirst().flatMap { children[Int($0)] }
            }
        }
        return nodes
    }
}
