public import Ethereum
public import Keys

/// One change of a registry, as its journal hashes it.
///
/// Source: names protocol, "Journal".
public struct JournalOperation: Hashable, Sendable {
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// A registration or an import.
        case register = 1
        /// A name was given another account.
        case address = 2
        /// A name was given another owner.
        case transfer = 3
        /// A name was withdrawn for ever.
        case release = 4
    }

    /// Counts from 1 without gaps.
    public let sequence: UInt64
    public let kind: Kind
    public let name: Name
    public let owner: Address
    /// Set for ``Kind/register`` and ``Kind/address`` only.
    public let account: InfoHash?
    /// Zero without evidence, and for ``Kind/transfer`` and ``Kind/release``.
    public let evidenceDigest: Word

    public init(
        sequence: UInt64,
        kind: Kind,
        name: Name,
        owner: Address,
        account: InfoHash?,
        evidenceDigest: Word
    ) {
        self.sequence = sequence
        self.kind = kind
        self.name = name
        self.owner = owner
        self.account = account
        self.evidenceDigest = evidenceDigest
    }

    /// The hash of this operation alone.
    public var digest: Word {
        let words = [
            Word(sequence), Word(UInt64(kind.rawValue)), name.word, Word(owner), Word(Address(account ?? .zero)),
            evidenceDigest,
        ]
        return Word(hashing: words.flatMap(\.bytes))
    }

    /// The head of the journal with this operation at its end.
    public func head(after previous: Word) -> Word {
        Word(hashing: previous.bytes + digest.bytes)
    }
}
