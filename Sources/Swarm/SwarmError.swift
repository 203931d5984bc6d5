public import Git

/// Why an operation on a conversation was not done; nothing has changed then, once the transaction is rolled back.
public enum SwarmError: Error, Hashable, Sendable {
    /// There is no such conversation here, or it has not been cloned yet.
    case unknownConversation
    /// A conversation of that name is already here.
    case existingConversation
    case unknownCommit(ObjectID)
    /// The own account is not a member (or, for a join, not invited).
    case notMember
    /// The device has no file in the conversation yet, so that a merge of its own would be refused by everybody.
    case deviceNotListed
    /// What was fetched breaks the rules of conversations.
    case refused(Refusal)
    /// The text of a message is larger than ``Conversation/messageLimit``.
    case messageTooLarge
    case signingFailed
}

/// Why what was fetched is not taken in: the rule that a commit breaks, with the text that clients of the protocol know.
///
/// Source: conversations protocol, "Validation of received commits".
public struct Refusal: Error, Hashable, Sendable {
    public enum Rule: String, Hashable, Sendable {
        case initialCommit = "Malformed initial commit"
        case commit = "Malformed commit"
        case emptyType = "Malformed commit (empty type)"
        case vote = "Malformed vote"
        case memberAdd = "Malformed add member commit"
        case memberJoin = "Malformed join member commit"
        case memberRemove = "Malformed remove member commit"
        case memberBan = "Malformed ban member commit"
        case member = "Malformed member commit"
        case memberURI = "Invalid member URI"
        case profile = "Malformed profile updates commit"
        case edit = "Malformed edit commit"
        case checkpoint = "Malformed checkpoint commit"
        case documentMessage = "Message commit in document repository"
        case merge = "Malformed merge commit"
        case user = "Invalid user"
        case signature = "Invalid signature"
        /// Objects are missing or malformed.
        case incomplete = "Incomplete history"
        /// Both sides changed the same file.
        case conflict = "Conflicting changes"
        /// The own account is neither member nor invited.
        case membership = "Not a member"
    }

    public let commit: ObjectID
    public let rule: Rule
    /// What exactly is wrong, for logs.
    public let detail: String

    public init(commit: ObjectID, rule: Rule, detail: String) {
        self.commit = commit
        self.rule = rule
        self.detail = detail
    }
}

extension Refusal: CustomStringConvertible {
    public var description: String { "\(rule.rawValue): \(detail) (\(commit))" }
}
