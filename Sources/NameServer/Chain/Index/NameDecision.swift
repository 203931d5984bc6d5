package import NameRegistry

/// What becomes of a stored name when the chain says something final about it.
///
/// Source: names protocol, "Reconciliation".
package enum NameDecision: Hashable, Sendable {
    /// The chain has the same content.
    case confirm(block: UInt64)
    /// The chain's content is taken over: the name is new here, or its owner has changed it on the chain.
    case take(NameRecord, block: UInt64)
    /// Both contents are kept; what is served does not change.
    case keepLocal(chain: NameRecord)
    /// The chain's content is served; what was here was never acknowledged and goes to the list of conflicts.
    case yield(NameRecord, block: UInt64)

    /// Compares the final history of a name on the chain with what is stored.
    ///
    /// The holder is who has the chain's account here, which may be another name. `nil` for a name without a history.
    package static func decide(
        chain replay: ChainReplay,
        block: UInt64,
        local: NameRecord?,
        holder: NameRecord?,
        mode: ServerMode
    ) -> NameDecision? {
        guard let chain = replay.record else { return nil }
        if local == chain { return .confirm(block: block) }
        let isFree = holder == nil || holder?.name == chain.name
        if isFree, local.map({ replay.states.contains($0) }) ?? true {
            return .take(chain, block: block)
        }
        return mode.chainDecides ? .yield(chain, block: block) : .keepLocal(chain: chain)
    }
}
