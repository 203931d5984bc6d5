package import Ethereum
package import NameRegistry

extension ServerMode {
    /// Whether the chain's content is served where contents differ.
    package var chainDecides: Bool { awaitsInclusion }
    /// Whether other servers may write to the same registry.
    package var allowsOtherRegistrars: Bool { awaitsInclusion }
}

/// What a server's mode makes of a registration's way to the chain.
///
/// Source: names protocol, "Modes".
package struct ModePolicy: Hashable, Sendable {
    /// How deep a registration must be on the chain to be acknowledged.
    package enum Depth: String, Hashable, Sendable, CaseIterable {
        case included
        case final
    }

    package var mode: ServerMode
    package var depth: Depth

    package init(mode: ServerMode, depth: Depth = .included) {
        self.mode = mode
        self.depth = depth
    }

    /// How a registration stands, given what is stored for its name; `nil` while that is open.
    package func outcome(of registration: Registration, stored: StoredName?) -> InclusionOutcome? {
        guard let stored else {
            // The account's other name on the chain has displaced it.
            return .conflict(NameRecord(registration))
        }
        guard stored.record == NameRecord(registration) else { return .conflict(stored.record) }
        switch stored.state {
        case .conflict: return .conflict(stored.record)
        case .included: return depth == .included ? .included(block: stored.block ?? 0) : nil
        case .final: return .included(block: stored.block ?? 0)
        case .accepted, .sent: return nil
        }
    }

    /// Whether these writers may share a registry with this server.
    package func alarm(registrars: Set<Address>, own: Address) -> ChainAlarm? {
        guard mode.usesChain else { return nil }
        guard registrars.contains(own) else {
            return .writingRefused(reason: "\(own) has not got the role of a registrar")
        }
        guard !mode.allowsOtherRegistrars, let other = registrars.subtracting([own]).min() else { return nil }
        return .otherRegistrar(other)
    }
}
