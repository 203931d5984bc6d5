package import Ethereum

/// A reason to stop following a chain, or to stop writing to it, until somebody has looked.
package enum ChainAlarm: Error, Hashable, Sendable {
    /// The operations that a node showed do not hash to the journal that the contract holds.
    case journalMismatch(block: UInt64, computed: JournalState, onChain: JournalState)
    /// An operation is missing, repeated or out of order.
    case operationOutOfOrder(block: UInt64, expected: UInt64, found: UInt64)
    /// An operation that no contract of ours can have made in this state.
    case impossibleOperation(block: UInt64, sequence: UInt64)
    /// A block that was final, or is older than what is kept, has been replaced.
    case deepReorganisation(below: UInt64)
    /// Another server writes to the same registry, which this mode does not allow.
    case otherRegistrar(Address)
    /// The chain refuses every transaction of this server.
    case writingRefused(reason: String)
    /// The endpoint serves another chain.
    case otherChain(expected: UInt64, found: UInt64)

    /// A word for metrics.
    package var label: String {
        switch self {
        case .journalMismatch: "journal_mismatch"
        case .operationOutOfOrder: "operation_out_of_order"
        case .impossibleOperation: "impossible_operation"
        case .deepReorganisation: "deep_reorganisation"
        case .otherRegistrar: "other_registrar"
        case .writingRefused: "writing_refused"
        case .otherChain: "other_chain"
        }
    }
}

extension ChainAlarm: CustomStringConvertible {
    package var description: String {
        switch self {
        case .journalMismatch(let block, let computed, let onChain):
            """
            The node's logs up to block \(block) do not hash to the registry's journal (\(computed.sequence) operations \
            with head \(computed.head), the contract has \(onChain.sequence) with head \(onChain.head)). \
            A log is missing or forged: ask another node.
            """
        case .operationOutOfOrder(let block, let expected, let found):
            "Block \(block) shows operation \(found) where \(expected) is next: a log is missing. Ask another node."
        case .impossibleOperation(let block, let sequence):
            "Operation \(sequence) in block \(block) contradicts those before it: the node's logs are forged."
        case .deepReorganisation(let block):
            """
            The chain has replaced blocks below \(block) that were final. Nothing is taken back here; check the chain, \
            then migrate to it again.
            """
        case .otherRegistrar(let address):
            """
            \(address) may write to the registry too. With several writers only the mode "chain" is safe: \
            revoke the role or change the mode.
            """
        case .writingRefused(let reason):
            "The registry refuses this server's transactions: \(reason). Nothing is lost; they wait."
        case .otherChain(let expected, let found):
            "The endpoint serves chain \(found), not \(expected). Point --rpc to a node of the right chain."
        }
    }
}
