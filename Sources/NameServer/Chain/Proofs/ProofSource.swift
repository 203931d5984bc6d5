package import Ethereum
package import Keys
package import NameRegistry

/// Makes the answers that clients check without trust in this server.
package protocol ProofSource: Sendable {
    /// The contract whose rules apply at present.
    var logic: Address? { get }

    /// The proof of a name, or of its absence; what is stored for it is taken for its evidence only.
    func proof(of name: Name, at block: UInt64, stored: StoredName?) async throws(ChainFailure) -> String
    /// The same with a proof that the account has this name.
    func proof(
        of name: Name,
        account: InfoHash,
        at block: UInt64,
        stored: StoredName?
    ) async throws(ChainFailure) -> String
    /// The proof that an account has no name.
    func proof(ofUnnamed account: InfoHash, at block: UInt64) async throws(ChainFailure) -> String
}
