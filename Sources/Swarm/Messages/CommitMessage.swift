public import Git
import Keys

/// The JSON object that a commit carries.
///
/// Source: conversations protocol, "Commit message catalogue".
public struct CommitMessage: Hashable, Sendable {
    public let fields: [String: MessageValue]

    public init(_ fields: [String: MessageValue]) {
        self.fields = fields
    }

    /// Reads the message of a commit: a JSON object.
    public init(parsing bytes: some Collection<UInt8>) throws(MessageError) {
        guard case .map(let fields) = try MessageValue(parsing: bytes) else { throw .malformed(at: 0) }
        self.fields = fields
    }

    public var json: String { MessageValue.map(fields).json }

    /// A field as text, whatever its kind; `nil` when it is missing or empty.
    public func text(_ name: String) -> String? {
        guard let text = fields[name]?.asText, !text.isEmpty else { return nil }
        return text
    }

    public var type: String { text("type") ?? "" }

    /// The commit that a field names.
    public func commit(_ name: String) -> ObjectID? {
        text(name).flatMap { ObjectID(hex: $0) }
    }
}

/// The types of messages that have a meaning here.
public enum MessageType {
    public static let initial = "initial"
    public static let member = "member"
    public static let vote = "vote"
    public static let text = "text/plain"
    public static let edited = "application/edited-message"
    public static let file = "application/data-transfer+json"
    public static let call = "application/call-history+json"
    public static let profile = "application/update-profile"
    public static let document = "application/collab-doc+json"
    public static let checkpoint = "application/checkpoint"
    /// What a commit with two parents is for clients; it has no JSON.
    public static let merge = "merge"
}

extension CommitMessage {
    static func oneToOne(with invited: InfoHash) -> CommitMessage {
        CommitMessage(["type": .text(MessageType.initial), "mode": .integer(0), "invited": .text(invited.hex)])
    }

    static func member(_ action: String, _ account: InfoHash) -> CommitMessage {
        CommitMessage(["type": .text(MessageType.member), "action": .text(action), "uri": .text(account.hex)])
    }

    /// A text, maybe as a reply.
    public static func text(_ body: String, replyTo target: ObjectID? = nil) -> CommitMessage {
        var fields: [String: MessageValue] = ["type": .text(MessageType.text), "body": .text(body)]
        if let target { fields["reply-to"] = .text(target.hex) }
        return CommitMessage(fields)
    }

    /// A reaction to a message, usually one emoji.
    public static func reaction(_ body: String, to target: ObjectID) -> CommitMessage {
        CommitMessage(["type": .text(MessageType.text), "body": .text(body), "react-to": .text(target.hex)])
    }

    /// The new text of an own message, in the form that every peer understands; an empty one deletes it.
    ///
    /// It names the first version of the message, also when there were editions before.
    public static func edition(of original: ObjectID, body: String) -> CommitMessage {
        CommitMessage(["type": .text(MessageType.edited), "body": .text(body), "edit": .text(original.hex)])
    }

    static func mergeText(_ head: ObjectID) -> [UInt8] {
        Array("Merge commit '\(head.hex)'".utf8)
    }
}
