public import Ethereum
public import Keys

/// What an account asks a registry for: a name, with the owner that may move it later.
///
/// Source: names protocol, "Registration".
public struct Registration: Hashable, Sendable {
    public let name: Name
    /// The Jami id of the account.
    public let account: InfoHash
    /// The address of the account's secp256k1 key.
    public let owner: Address
    /// `nil` for a registration that nobody signed, as old dumps hold them, and where nobody has the evidence.
    public let evidence: NameEvidence?
    /// The digest of the evidence as a contract holds it, zero where nobody signed.
    public let evidenceDigest: Word

    public init(name: Name, account: InfoHash, owner: Address, evidence: NameEvidence?) {
        self.name = name
        self.account = account
        self.owner = owner
        self.evidence = evidence
        evidenceDigest = evidence?.digest ?? .zero
    }

    /// A registration of whose evidence only the digest is known, as a council imports them: it proves nothing.
    public init(name: Name, account: InfoHash, owner: Address, evidenceDigest: Word) {
        self.name = name
        self.account = account
        self.owner = owner
        evidence = nil
        self.evidenceDigest = evidenceDigest
    }
}

/// What a registry says of a name: who has it, or that it was withdrawn for ever.
public struct NameRecord: Hashable, Sendable {
    /// The owner of a withdrawn name, `0x…dEaD`.
    public static let tombstone = Address(InfoHash(high: 0, middle: 0, low: 0xDEAD))

    public let name: Name
    public let owner: Address
    /// The account; `nil` for a withdrawn name.
    public let account: InfoHash?
    /// The digest of the evidence; zero where nobody signed.
    public let evidenceDigest: Word

    public init(name: Name, owner: Address, account: InfoHash?, evidenceDigest: Word) {
        self.name = name
        self.owner = owner
        self.account = account
        self.evidenceDigest = evidenceDigest
    }

    public init(_ registration: Registration) {
        self.init(
            name: registration.name,
            owner: registration.owner,
            account: registration.account,
            evidenceDigest: registration.evidenceDigest
        )
    }

    public var isWithdrawn: Bool { owner == Self.tombstone }
}
