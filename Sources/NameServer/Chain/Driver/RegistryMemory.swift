package import Ethereum
import JSON

/// What a server has learned of its registry, so that it starts while no node of the chain answers.
package struct RegistryMemory: Hashable, Sendable {
    package let chainID: UInt64
    package let council: Address
    /// The contract that holds the names.
    package let store: Address
    /// `nil` before the council has selected one.
    package let logic: Address?
    /// Those whom the first block lists; none on chains without such seals.
    package let signers: [Address]

    package init(chainID: UInt64, council: Address, store: Address, logic: Address?, signers: [Address]) {
        self.chainID = chainID
        self.council = council
        self.store = store
        self.logic = logic
        self.signers = signers
    }

    /// Reads ``text``.
    package init?(_ text: String) {
        guard let value = JSONValue(parsing: text), let chainID = value["chain"]?.string.flatMap({ UInt64($0) }),
            let council = value["council"]?.string.flatMap({ Address(hex: $0) }),
            let store = value["store"]?.string.flatMap({ Address(hex: $0) }), let entries = value["signers"]?.array
        else { return nil }
        let signers = entries.compactMap { $0.string.flatMap { Address(hex: $0) } }
        guard signers.count == entries.count else { return nil }
        self.init(
            chainID: chainID,
            council: council,
            store: store,
            logic: value["logic"]?.string.flatMap { Address(hex: $0) },
            signers: signers
        )
    }

    /// The form in the store.
    package var text: String {
        let value: JSONValue = [
            "chain": .string(String(chainID)), "council": .string(council.hex), "store": .string(store.hex),
            "logic": logic.map { .string($0.hex) } ?? .null, "signers": .array(signers.map { .string($0.hex) }),
        ]
        return value.line
    }
}
