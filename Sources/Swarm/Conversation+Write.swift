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
        let message = CommitMessage.oneToOne(with: invited)
        let commit = try CommitWriter.sign(
            tree: tree,
            parents: [],
            message: Array(message.json.utf8),
            signer: signer,
            at: time
        )
        let id = ConversationID(commit.id)
        try prepareClone(database, id)
        let store = try ConversationStore(database, id)
        guard store.headCommit == nil else { throw SwarmError.existingConversation }
        store.stage(objects)
        let judged = JudgedCommit(commit: commit, author: signer.account, message: message, mode: .oneToOne)
        _ = try CommitWriter.store(judged, objects: Array(objects.objects.keys), in: store)
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

/// Makes one commit on top of the head.
struct CommitWriter {
    private let store: ConversationStore
    private let signer: CommitSigner
    private let time: WallTime
    private let parent: ObjectID
    /// The tree of the head.
    let tree: ObjectID
    private var editor = TreeEditor()
    private var objects = ObjectStore()

    init(_ store: ConversationStore, signer: CommitSigner, at time: WallTime) throws {
        self.store = store
        self.signer = signer
        self.time = time
        parent = try store.requiredHead()
        tree = try store.tree(of: parent)
    }

    mutating func set(_ path: ConversationPath, to content: [UInt8]) {
        editor.set(path.text, to: objects.insertBlob(content))
    }

    mutating func remove(_ path: ConversationPath) {
        editor.remove(path.text)
    }

    /// Adds the device's certificate if it is missing, and replaces own certificates that no longer hold.
    ///
    /// Source: conversations protocol, "Committing rules".
    mutating func renewOwnFiles() throws {
        var certificates = CertificateFiles()
        let member = try store.entry(at: ConversationPath.member(signer.account).text, in: tree)
        let role = member != nil ? ConversationPath.member(signer.account) : .admin(signer.account)
        guard let roleEntry = try store.entry(at: role.text, in: tree) else { throw SwarmError.notMember }
        let account = try certificates.certificate(roleEntry, of: store)
        if account.map({ $0.publicKey.shortID == signer.account && $0.notAfter >= time }) != true {
            set(role, to: signer.accountFile)
        }
        let device = try certificates.certificate(at: .device(signer.device), in: tree, of: store)
        if device.map({ $0.publicKey.longID == signer.device && $0.notAfter >= time }) != true {
            set(.device(signer.device), to: signer.deviceFile)
        }
    }

    mutating func commit(_ message: CommitMessage) throws -> CommitRecord {
        let text = Array(message.json.utf8)
        guard text.count <= Conversation.messageLimit else { throw SwarmError.messageTooLarge }
        var newObjects = objects
        let newTree = editor.isEmpty ? tree : try editor.apply(to: tree, from: store, into: &newObjects)
        let commit = try Self.sign(tree: newTree, parents: [parent], message: text, signer: signer, at: time)
        store.stage(newObjects)
        let judged = JudgedCommit(commit: commit, author: signer.account, message: message, mode: nil)
        return try Self.store(judged, objects: Array(newObjects.objects.keys), in: store).record
    }

    /// A signed commit.
    ///
    /// Source: conversations protocol, "Signature".
    static func sign(
        tree: ObjectID,
        parents: [ObjectID],
        message: [UInt8],
        signer: CommitSigner,
        at time: WallTime
    ) throws -> Commit {
        let person = signer.person(seconds: time.seconds)
        let payload = Commit.payload(tree: tree, parents: parents, author: person, committer: person, message: message)
        guard let signature = try? signer.key.sign(payload, digest: .sha512) else { throw SwarmError.signingFailed }
        let content = Commit.signed(
            tree: tree,
            parents: parents,
            author: person,
            committer: person,
            message: message,
            signature: Base64.encode(signature)
        )
        return try Commit(parsing: content)
    }

    /// Stores an own commit as the new head.
    static func store(
        _ judged: JudgedCommit,
        objects: [ObjectID],
        in store: ConversationStore
    ) throws -> (record: CommitRecord, firstMoved: Int) {
        let id = store.stage(GitObject(kind: .commit, content: judged.commit.content))
        try store.stageNode(judged.commit)
        let first = try store.advance(to: id, commits: [judged], objects: objects + [id])
        guard let record = try store.record(id) else { throw SwarmError.unknownCommit(id) }
        return (record, first)
    }
}

extension ObjectStore {
    mutating func insertBlob(_ content: [UInt8]) -> ObjectID {
        insert(GitObject(kind: .blob, content: content))
    }
}
