import Git
import Keys
import Runtime

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
        return try Self.store(commit, with: newObjects, in: store).record
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
    ///
    /// It is judged like a received one first: a commit that others refuse would cut us off from them for good.
    static func store(
        _ commit: Commit,
        with objects: ObjectStore,
        in store: ConversationStore
    ) throws -> (record: CommitRecord, firstMoved: Int) {
        store.stage(objects)
        let id = store.stage(GitObject(kind: .commit, content: commit.content))
        try store.stageNode(commit)
        var validator = CommitValidator(store: store) { try store.containsCommit($0) }
        let judged: JudgedCommit
        do { judged = try validator.judge(commit) } catch let refusal as Refusal { throw SwarmError.refused(refusal) }
        let first = try store.advance(to: id, commits: [judged], objects: Array(objects.objects.keys) + [id])
        guard let record = try store.record(id) else { throw SwarmError.unknownCommit(id) }
        return (record, first)
    }
}

extension ObjectStore {
    mutating func insertBlob(_ content: [UInt8]) -> ObjectID {
        insert(GitObject(kind: .blob, content: content))
    }
}
