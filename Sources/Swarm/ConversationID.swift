public import Git
public import Keys

/// The name of a conversation: the id of its initial commit.
public struct ConversationID: Hashable, Comparable, Sendable {
    /// The initial commit.
    public let commit: ObjectID

    public init(_ commit: ObjectID) {
        self.commit = commit
    }

    /// Exactly forty hexadecimal digits, otherwise `nil`.
    public init?(hex: some StringProtocol) {
        guard let commit = ObjectID(hex: hex) else { return nil }
        self.commit = commit
    }

    public var hex: String { commit.hex }

    public static func < (left: ConversationID, right: ConversationID) -> Bool {
        left.commit < right.commit
    }
}

extension ConversationID: CustomStringConvertible {
    public var description: String { hex }
}

/// What the initial commit declares a conversation to be.
public enum ConversationMode: Int, Hashable, Sendable {
    case oneToOne = 0
    case adminInvitesOnly = 1
    case invitesOnly = 2
    case open = 3
    case document = 4
}

/// What an account is in a conversation.
public enum MemberRole: Int, Hashable, Sendable {
    case admin = 0
    case member = 1
    case invited = 2
    case banned = 3
    case left = 4
}

/// An account of a conversation with its role.
public struct Member: Hashable, Sendable {
    public let account: InfoHash
    public let role: MemberRole

    public init(account: InfoHash, role: MemberRole) {
        self.account = account
        self.role = role
    }
}
