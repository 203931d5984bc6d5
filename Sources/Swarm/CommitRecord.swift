public import Git
public import Keys

/// A commit of a conversation as its readers see it.
public struct CommitRecord: Hashable, Sendable {
    public let id: ObjectID
    public let parents: [ObjectID]
    /// The account whose device wrote it.
    public let author: InfoHash?
    public let device: LongID?
    /// Seconds since 1970, as the writer's clock said.
    public let time: Int64
    /// ``MessageType/merge`` for merges.
    public let type: String
    /// The JSON members as text.
    public let fields: [String: String]
    /// The place in the linear order, 0 for the initial commit.
    ///
    /// Changes when merges bring in older commits.
    public let position: Int

    public var body: String { fields["body"] ?? "" }
    public var isMerge: Bool { parents.count > 1 }
    /// The message that this one edits, in whatever form that is said.
    public var editTarget: ObjectID? { fields["edit"].flatMap { ObjectID(hex: $0) } }
    public var reactionTarget: ObjectID? { fields["react-to"].flatMap { ObjectID(hex: $0) } }
    public var replyTarget: ObjectID? { fields["reply-to"].flatMap { ObjectID(hex: $0) } }
}
