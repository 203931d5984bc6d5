/// Why a proof does not prove what it should.
public enum ProofError: Error, Hashable, Sendable {
    /// More nodes than ``TrieProof/maximumNodeCount``, or a node of more than ``TrieProof/maximumNodeByteCount``.
    case tooLarge
    /// A node is missing: the proof was cut off, or is that of another key.
    case truncated
    /// A node has another hash than the one above it says.
    case otherHash
    /// Nodes that the path does not lead to.
    case surplusNodes
    /// No node of a trie.
    case malformedNode
    /// The value under the key is not of the form that it has in this trie.
    case malformedValue
    /// The value is another one than the proof was given for.
    case otherValue
    /// The state has no such account.
    case noAccount
}
