public import Ethereum

/// Why a contract of the registry reverted, as its text says.
public enum ContractRefusal: Hashable, Sendable {
    // Of the logic, about what was asked for: another answer would need another request.
    case nameTaken
    case accountTaken
    case invalidName
    case notOwner
    // Of the logic, about its state: the same request may succeed after the council acted.
    case notRegistrar
    case commitmentRequired
    case importClosed
    case notLogic
    // Of the logic, about time.
    case noCommitment
    case commitmentTooYoung
    case commitmentTooOld
    case commitmentPending
    case deadlinePassed
    /// A text that stands for nothing else here, `nil` without any.
    case other(String?)

    /// `nil` when the node refused, and not a contract.
    public init?(_ refusal: NodeRefusal) {
        guard refusal.isRevert else { return nil }
        self.init(reason: refusal.revertReason)
    }

    /// Reads the text that a contract reverted with, `nil` without any.
    public init(reason: String?) {
        self = reason.flatMap { Self.texts[$0] } ?? .other(reason)
    }

    /// `nil` for everything that is no revert.
    public init?(_ error: NodeError) {
        guard case .refused(let refusal) = error else { return nil }
        self.init(refusal)
    }

    private static let texts: [String: ContractRefusal] = [
        "taken": .nameTaken,
        "addr taken": .accountTaken,
        "invalid name": .invalidName,
        "not owner": .notOwner,
        "not registrar": .notRegistrar,
        "commit required": .commitmentRequired,
        "import closed": .importClosed,
        "not logic": .notLogic,
        "no commitment": .noCommitment,
        "commitment too young": .commitmentTooYoung,
        "commitment too old": .commitmentTooOld,
        "pending": .commitmentPending,
        "deadline": .deadlinePassed,
    ]
}
