import NameRegistry

/// What a node said of a registration that is about to be sent.
package enum OutboxFinding: Hashable, Sendable {
    /// The chain has exactly this registration.
    case present
    /// The chain would take it, for so much gas.
    case absent(gas: UInt64)
    /// The chain has other content for the name, or another name for the account.
    case contrary
    case refused(RegistryRefusal)
    case unreachable
}

/// How far a registration has got by the store, which follows the chain.
package enum OutboxProgress: Hashable, Sendable {
    case waiting
    case included(block: UInt64)
    case final(block: UInt64)
    /// The chain's other content is final.
    case displaced
}

/// What a node said to a transaction.
package enum SubmissionResult: Hashable, Sendable {
    case accepted
    /// The number was used by another transaction of ours that is in a block already.
    case numberUsed
    /// Another transaction with the number waits there and pays as much.
    case underpriced
    /// The node takes nothing from this server: its account is empty, for example.
    case refused(reason: String)
    case unreachable
}

/// Why a contract reverts, by its message.
package enum RegistryRefusal: Hashable, Sendable {
    /// The name or the account is on the chain with other content.
    case taken
    /// The server must not write at present; the same call may succeed once the council has acted.
    case notAllowed(reason: String)
    /// The commitment is too young.
    case commitment
    /// The council wants a commitment, and there is none; others are not concerned.
    case commitmentRequired
    /// The same call will never succeed.
    case invalid(reason: String)

    /// Reads the message of a revert; an unknown one stops the writer rather than the registration.
    package init(message: String) {
        switch ContractRefusal(reason: message) {
        case .nameTaken, .accountTaken: self = .taken
        case .commitmentTooYoung: self = .commitment
        case .commitmentRequired: self = .commitmentRequired
        case .invalidName, .noCommitment, .commitmentTooOld, .other("owner"), .other("addr"), .other("evidence"):
            self = .invalid(reason: message)
        case .other(""): self = .notAllowed(reason: "the call reverts without a reason")
        default: self = .notAllowed(reason: message)
        }
    }
}

/// What a transaction pays for each unit of gas, in wei.
package struct GasFees: Hashable, Sendable {
    package var maximum: UInt64
    package var priority: UInt64

    package init(maximum: UInt64, priority: UInt64) {
        self.maximum = maximum
        self.priority = priority
    }

    /// An eighth more, which nodes ask for before they replace a waiting transaction.
    package func raised(cap: UInt64) -> GasFees {
        func raise(_ fee: UInt64) -> UInt64 { min(fee.addingReportingOverflow(fee / 8 + 1).partialValue, cap) }
        return GasFees(maximum: max(maximum, raise(maximum)), priority: max(priority, raise(priority)))
    }

    package func atLeast(_ other: GasFees) -> GasFees {
        GasFees(maximum: max(maximum, other.maximum), priority: max(priority, other.priority))
    }
}

/// A transaction that is to be signed, stored and sent, in this order.
package struct Transmission: Hashable, Sendable {
    package enum Purpose: Hashable, Sendable {
        case registration(Int64)
        case relay(UInt64)
        /// Uses up a number whose transaction is not wanted any more, so that those after it can be mined.
        case filler
    }

    package let purpose: Purpose
    package let nonce: UInt64
    package let gas: UInt64
    package let fees: GasFees
}
