package import NameRegistry

/// The small values that the chain side keeps in the store.
package enum ChainSetting {
    /// The chain and the registry that the stored blocks and operations are of.
    package static let identity = "chain.identity"
    /// What is remembered of that registry for a start without a node.
    package static let registry = "chain.registry"
    /// The mode that the server last ran in.
    package static let mode = "chain.mode"
    /// The last operation that was compared with the names as final.
    package static let finalSequence = "chain.final.sequence"
    /// The number of the next transaction.
    package static let nextNonce = "chain.outbox.nonce"

    /// What a registration was committed with, as hexadecimal digits.
    package static func secret(of name: Name) -> String { "chain.secret.\(name)" }
}

extension NameStoreReader {
    func number(_ key: String) throws -> UInt64? {
        try setting(key).flatMap { UInt64($0) }
    }
}
