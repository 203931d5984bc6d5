package import Ethereum
package import Keys
package import NameRegistry

/// A registry on a chain, as nodes show it and take transactions for it.
///
/// Every call ends by itself within a deadline. Answers are those of nodes, which may lie: what matters is checked by
/// the callers against the journal.
package protocol RegistryChain: Sendable {
    /// The address that transactions of this server come from.
    var registrar: Address { get }

    func latest() async throws(ChainReadError) -> ObservedBlock
    /// The newest block with the tag `finalized`; `nil` from chains that have no such tag.
    func taggedFinal() async throws(ChainReadError) -> UInt64?
    func block(_ number: UInt64) async throws(ChainReadError) -> ObservedBlock
    /// The operations in these blocks, of which `last` is the last one, in their order.
    func operations(
        in blocks: ClosedRange<UInt64>,
        last: ObservedBlock
    ) async throws(ChainReadError) -> [ObservedOperation]
    /// What the contract holds after a block; `nil` where nodes have forgotten.
    func journal(at block: ObservedBlock) async throws(ChainReadError) -> JournalState?

    /// What the newest block says of a name; `nil` for one that nobody has.
    func record(of name: Name) async throws(ChainReadError) -> NameRecord?
    /// The name of an account by the newest block.
    func name(of account: InfoHash) async throws(ChainReadError) -> Name?
    /// Who may write to the registry by the newest block.
    func registrars() async throws(ChainReadError) -> Set<Address>
    /// Whether names are only registered by commitment, by the newest block.
    func requiresCommitments() async throws(ChainReadError) -> Bool

    /// The gas of a call of this server, or why it would be reverted.
    func estimate(_ call: RegistryCall) async throws(ChainReadError) -> CallEstimate
    /// How many transactions of this server are in blocks.
    func transactionCount() async throws(ChainReadError) -> UInt64
    func suggestedFees() async throws(ChainReadError) -> GasFees
    /// Signs a transaction; `nil` as the call makes one that does nothing.
    func sign(_ call: RegistryCall?, nonce: UInt64, gas: UInt64, fees: GasFees) throws -> SignedCall
    func submit(_ call: SignedCall) async -> SubmissionResult
}

package enum ChainReadError: Error, Hashable, Sendable {
    /// No node answers in time, or with something that is no answer.
    case unreachable(reason: String)
    /// The answers are of different states; asking again may help.
    case inconsistent(reason: String)

    package var reason: String {
        switch self {
        case .unreachable(let reason), .inconsistent(let reason): reason
        }
    }
}

package enum CallEstimate: Hashable, Sendable {
    case gas(UInt64)
    /// With the message of the contract.
    case reverts(String)
}

/// What this server asks the registry's contract for.
package enum RegistryCall: Hashable, Sendable {
    case register(Registration)
    case reveal(Registration, secret: Word)
    case commit(Word)
    case relay(OwnerOperation)
    case importBatch([NameRecord])
}

package struct SignedCall: Hashable, Sendable {
    package let bytes: [UInt8]
    package let hash: Word

    package init(bytes: [UInt8], hash: Word) {
        self.bytes = bytes
        self.hash = hash
    }
}
