public import Ethereum
public import Keys
public import NameRegistry

/// How a name server was caught saying what cannot be true.
///
/// Source: names protocol, "What an answer proves".
public enum NameServerLie: Hashable, Sendable {
    /// The signature, or a half of the evidence, is missing where there is one.
    case strippedSignature
    case wrongEvidence(NameEvidenceError)
    /// The answer is about another name.
    case otherName(String)
    /// The answer is about another account.
    case otherAccount(InfoHash)
    /// It says that an account has a name that the name itself does not lead back to.
    case unconfirmedName(Name)
    /// It took a registration and does not know it a moment later.
    case registrationNotKept
    /// It denies a name without the proof that was asked for.
    case absenceWithoutProof
    /// The proof is not complete: a node is missing.
    case truncatedProof(String)
    /// A part of the proof does not fit together.
    case wrongProof(String)
    /// The proof is true and says something else than the answer.
    case proofContradictsAnswer(String)
    /// The block is too old to say anything about now, in seconds.
    case staleProof(age: Int64)
    /// The block claims to be made in the future, in seconds.
    case futureProof(ahead: Int64)
    /// The block is older than one that was shown before.
    case rolledBack(block: UInt64, highest: UInt64)
    case otherChain(UInt64)
    case otherStore(Address)
    /// Nobody whom we trust stands behind the block.
    case untrustedBlock(String)
    /// Another server says something else.
    case contradiction(NameServerAddress)

    /// The name of the lie for programs.
    public var code: String {
        switch self {
        case .strippedSignature: "strippedSignature"
        case .wrongEvidence: "wrongEvidence"
        case .otherName: "otherName"
        case .otherAccount: "otherAccount"
        case .unconfirmedName: "unconfirmedName"
        case .registrationNotKept: "registrationNotKept"
        case .absenceWithoutProof: "absenceWithoutProof"
        case .truncatedProof: "truncatedProof"
        case .wrongProof: "wrongProof"
        case .proofContradictsAnswer: "proofContradictsAnswer"
        case .staleProof: "staleProof"
        case .futureProof: "futureProof"
        case .rolledBack: "rolledBack"
        case .otherChain: "otherChain"
        case .otherStore: "otherStore"
        case .untrustedBlock: "untrustedBlock"
        case .contradiction: "contradiction"
        }
    }

    /// What it did, as the end of a sentence that begins with the server.
    var predicate: String {
        switch self {
        case .strippedSignature: "left out the account's signature, or a part of it"
        case .wrongEvidence(.otherAccount): "shows the signature of another account than the one that it names"
        case .wrongEvidence(.wrongSignature): "shows a signature that was not made over this name"
        case .wrongEvidence(.malformedKey): "shows a key that is none"
        case .wrongEvidence(.malformedSignature): "shows a signature that is none"
        case .wrongEvidence(.keySize(let bits)): "shows a key of \(bits) bits, which is no account's"
        case .otherName(let name): "answered about another name, “\(name)”"
        case .otherAccount(let account): "answered about another account, \(account)"
        case .unconfirmedName(let name):
            "says that the account is called “\(name)”, but that name does not lead back to it"
        case .registrationNotKept: "took the registration and does not have it a moment later"
        case .absenceWithoutProof: "says that nobody has this name and cannot prove it"
        case .truncatedProof(let part): "sent a proof that lacks a part: \(part)"
        case .wrongProof(let part): "sent a proof that does not hold: \(part)"
        case .proofContradictsAnswer(let part): "proves something else than it answers: \(part)"
        case .staleProof(let age):
            "sent a proof that is \(Self.text(seconds: age)) old, so that a change could be hidden"
        case .futureProof(let ahead): "sent a proof from \(Self.text(seconds: ahead)) in the future"
        case .rolledBack(let block, let highest):
            "went back to block \(block), although block \(highest) was proved before"
        case .otherChain(let chain): "sent a proof of another chain, number \(chain)"
        case .otherStore(let store): "sent a proof of another registry, \(store)"
        case .untrustedBlock(let reason): "sent a proof in a block that nobody trustworthy stands behind: \(reason)"
        case .contradiction(let other): "and \(other) contradict each other"
        }
    }

    private static func text(seconds: Int64) -> String {
        switch seconds {
        case ..<120: "\(seconds) seconds"
        case ..<7_200: "\(seconds / 60) minutes"
        case ..<172_800: "\(seconds / 3_600) hours"
        default: "\(seconds / 86_400) days"
        }
    }
}
