public import Ethereum
public import Keys

/// What a name's owner signs, so that anybody may hand it in.
///
/// A signature is for one logic contract, and for one nonce of the name. Source: names contracts, "Names"; EIP-712.
public enum OwnerRequest: Hashable, Sendable {
    case transfer(Name, to: Address)
    case release(Name)
    case setAddress(Name, to: InfoHash, evidenceDigest: Word)

    /// The hash that is signed; the deadline is in seconds since 1970.
    public func digest(chain: UInt64, logic: Address, nonce: UInt64, deadline: UInt64) -> Word {
        let domain = TypedData.Domain(
            name: "Jami Name Service",
            version: "1",
            chainID: chain,
            verifyingContract: logic
        )
        let type: String
        let members: [Word]
        switch self {
        case .transfer(let name, let owner):
            type = "Transfer(bytes32 name,address newOwner,uint256 nonce,uint256 deadline)"
            members = [name.word, Word(owner)]
        case .release(let name):
            type = "Release(bytes32 name,uint256 nonce,uint256 deadline)"
            members = [name.word]
        case .setAddress(let name, let account, let evidence):
            type = "SetAddress(bytes32 name,address addr,bytes32 evidence,uint256 nonce,uint256 deadline)"
            members = [name.word, Word(Address(account)), evidence]
        }
        let words = members + [Word(nonce), Word(deadline)]
        return TypedData.digest(
            domain: domain.separator,
            message: TypedData.structHash(type, words.map { .word($0) })
        )
    }
}
