public import GRDB
public import Git
public import Keys
public import Runtime

extension Conversation {
    /// Starts a conversation with one other account, which is invited by it.
    public static func createOneToOne(
        _ database: Database,
        with invited: InfoHash,
        signer: CommitSigner,
        at time: WallTime
    ) throws -> ConversationID {
        var objects = ObjectStore()
        var editor = TreeEditor()
        editor.set(ConversationPath.admin(signer.account).text, to: objects.insertBlob(signer.accountFile))
        editor.set(ConversationPath.device(signer.device).text, to: objects.insertBlob(signer.deviceFile))
        editor.set(ConversationPath.invited(invited).text, to: objects.insertBlob([]))
        let tree = try editor.apply(to: nil, from: objects, into: &objects)
        let commit = try CommitWriter.sign(
            tree: tree,
            parents: [],
            message: Array(CommitMessage.oneToOne(with: invited).json.utf8),
            signer: signer,
            at: time
        )
        let id = ConversationID(commit.id)
        try prepareClone(database, id)
        let store = try ConversationStore(database, id)
        guard store.headCommit == nil else { throw SwarmError.existingConversation }
        _ = try CommitWriter.store(commit, with: objects, in: store)
        return id
    }

    /// Writes a text, maybe as the answer to a message, which must then be known.
    public static func commitText(
        _ database: Database,
        in id: ConversationID,
        body: String,
        replyTo target: ObjectID? = nil,
        signer: CommitSigner,
        at time: WallTime
    ) throws -> CommitRecord {
        if let target, try !contains(database, id, target) { throw SwarmError.unknownCommit(target) }
        return try commit(database, in: id, .text(body, replyTo: target), signer: signer, at: time)
    }

    /// Writes any message that changes no file of the conversation.
    ///
    /// The first commit of a device adds its certificate; certificates of ours that have expired are replaced.
    public static func commit(
        _ database: Database,
        in id: ConversationID,
        _ message: CommitMessage,
        signer: CommitSigner,
        at time: WallTime
    ) throws -> CommitRecord {
        let store = try ConversationStore(database, id)
        var writer = try CommitWriter(store, signer: signer, at: time)
        try writer.renewOwnFiles()
        return try writer.commit(message)
    }

    /// Turns the invitation of the own account into membership.
    ///
    /// - Returns: `nil` when the account is a member already.
    public static func join(
        _ database: Database,
        _ id: ConversationID,
        signer: CommitSigner,
        at time: WallTime
    ) throws -> CommitRecord? {
        let store = try ConversationStore(database, id)
        var writer = try CommitWriter(store, signer: signer, at: time)
        let (account, tree) = (signer.account, writer.tree)
        for path in [ConversationPath.admin(account), .member(account)]
        where try store.entry(at: path.text, in: tree) != nil {
            return nil
        }
        guard try store.entry(at: ConversationPath.invited(account).text, in: tree) != nil else {
            throw SwarmError.notMember
        }
        writer.remove(.invited(account))
        writer.set(.member(account), to: signer.accountFile)
        writer.set(.device(signer.device), to: signer.deviceFile)
        return try writer.commit(.member("join", account))
    }

    /// Invites a further account; the device's certificate is added if this is its first commit.
    public static func invite(
        _ database: Database,
        _ account: InfoHash,
        to id: ConversationID,
        signer: CommitSigner,
        at time: WallTime
    ) throws -> CommitRecord {
        let store = try ConversationStore(database, id)
        var writer = try CommitWriter(store, signer: signer, at: time)
        try writer.renewOwnFiles()
        writer.set(.invited(account), to: [])
        return try writer.commit(.member("add", account))
    }
}
