import Ethereum

/// When a block counts as one that cannot be replaced any more.
///
/// Source: names protocol, "Finality".
package enum FinalityRule: Hashable, Sendable {
    /// The node's tag `finalized`.
    case tag
    /// The block and its descendants carry the seals of so many distinct signers.
    case seals(Int)

    /// The default for so many signers of a Clique chain: tolerates a third of them signing twice.
    package static func clique(signers: Int) -> FinalityRule {
        .seals(2 * signers / 3 + 1)
    }

    /// The newest final block among consecutive blocks, the oldest first.
    ///
    /// `nil` where none is, and always for ``tag``.
    package func newestFinal(among blocks: some BidirectionalCollection<ObservedBlock>) -> UInt64? {
        guard case .seals(let needed) = self, needed > 0 else { return nil }
        var sealers: Set<Address> = []
        for block in blocks.reversed() {
            guard let sealer = block.sealer else { return nil }
            sealers.insert(sealer)
            if sealers.count >= needed { return block.number }
        }
        return nil
    }
}
