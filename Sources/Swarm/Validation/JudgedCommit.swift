import Git
import Keys

/// A commit that passed validation, with what that found out.
struct JudgedCommit {
    let commit: Commit
    /// The account whose device signed it.
    let author: InfoHash?
    /// `nil` for merges.
    let message: CommitMessage?
    /// What an initial commit declares.
    let mode: ConversationMode?

    var type: String { message?.type ?? (commit.parents.count > 1 ? MessageType.merge : "") }

    /// The earlier commit that this one edits, reacts to or answers.
    var target: ObjectID? {
        message.flatMap { $0.commit("edit") ?? $0.commit("react-to") ?? $0.commit("reply-to") }
    }
}
