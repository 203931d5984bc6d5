import Git
import Keys
import Runtime

/// Judges received commits by the strict profile: what every version of the protocol accepts, and nothing that any of them
/// should have refused.
///
/// In a lenient conversation the rules about content are those of older peers; who wrote a commit is always proven.
/// Source: conversations protocol, "Validation of received commits".
struct CommitValidator {
    let store: ConversationStore
    /// Whether a commit belongs to the history that is judged.
    let isInHistory: (ObjectID) throws -> Bool
    var certificates = CertificateFiles()
    private var checkedTrees: Set<ObjectID> = []
    private var root: (mode: ConversationMode, initialMembers: [InfoHash])?

    init(store: ConversationStore, isInHistory: @escaping (ObjectID) throws -> Bool) {
        self.store = store
        self.isInHistory = isInHistory
    }

    /// A commit with the facts that its rules look at.
    struct Subject {
        let commit: Commit
        let user: InfoHash
        let device: LongID
        let message: CommitMessage
        /// The tree of the first parent; `nil` for an initial commit.
        let before: ObjectID?
        var after: ObjectID { commit.tree }
        let changes: [TreeChange]

        func refusal(_ rule: Refusal.Rule, _ detail: String) -> Refusal {
            Refusal(commit: commit.id, rule: rule, detail: detail)
        }
    }

    /// Judges one commit whose parents have been judged or are stored.
    ///
    /// - Throws: ``Refusal``.
    mutating func judge(_ commit: Commit) throws -> JudgedCommit {
        do {
            return try judgeParsed(commit)
        } catch let error as GitError {
            throw Refusal(commit: commit.id, rule: .commit, detail: "\(error)")
        }
    }

    private mutating func judgeParsed(_ commit: Commit) throws -> JudgedCommit {
        func refusal(_ rule: Refusal.Rule, _ detail: String) -> Refusal {
            Refusal(commit: commit.id, rule: rule, detail: detail)
        }
        try checkTree(commit.tree, of: commit)
        guard commit.parents.count <= 2 || store.isLenient else { throw refusal(.merge, "more than two parents") }
        let message = try message(of: commit)

        var authority = commit.tree
        if let message, message.type == MessageType.member, message.text("action") == "remove",
            let parent = commit.parents.first
        {
            authority = try store.tree(of: parent)
        }
        let (user, device) = try author(of: commit, in: authority)

        if commit.parents.count > 1 {
            if !store.isLenient { try judgeMerge(commit) }
            return JudgedCommit(commit: commit, author: user, message: nil, mode: nil)
        }
        let before = try commit.parents.first.map { try store.tree(of: $0) }
        let subject = Subject(
            commit: commit,
            user: user,
            device: device,
            message: message ?? CommitMessage([:]),
            before: before,
            changes: try TreeDiff.changes(from: before, to: commit.tree, in: store)
        )
        guard before != nil else {
            let mode = try judgeInitial(subject)
            return JudgedCommit(commit: commit, author: user, message: message, mode: mode)
        }
        guard let message else {
            try judgeFiles(subject)
            return JudgedCommit(commit: commit, author: user, message: nil, mode: nil)
        }
        try judge(subject)
        return JudgedCommit(commit: commit, author: user, message: message, mode: nil)
    }

    /// The JSON object of a commit that must have one; `nil` for merges, and in lenient conversations for other text.
    private func message(of commit: Commit) throws -> CommitMessage? {
        guard commit.parents.count < 2 else { return nil }
        let message = try? CommitMessage(parsing: commit.message)
        guard let message, !message.type.isEmpty else {
            if store.isLenient, !commit.parents.isEmpty { return nil }
            let rule = commit.parents.isEmpty ? Refusal.Rule.initialCommit : .emptyType
            throw Refusal(commit: commit.id, rule: rule, detail: "no JSON object with a type")
        }
        return message
    }

    /// The account and device whose signature is on a commit.
    private mutating func author(of commit: Commit, in tree: ObjectID) throws -> (user: InfoHash, device: LongID) {
        func refusal(_ rule: Refusal.Rule, _ detail: String) -> Refusal {
            Refusal(commit: commit.id, rule: rule, detail: detail)
        }
        guard let device = LongID(lowerHex: commit.author.email) else { throw refusal(.user, "author is not a device") }
        let standing: CertificateFiles.Standing
        switch try certificates.standing(of: device, in: tree, of: store) {
        case .success(let found): standing = found
        case .failure(let error): throw refusal(.user, error.detail)
        }
        let time = commit.committer.seconds
        guard standing.device.notAfter.seconds >= time, standing.account.notAfter.seconds >= time else {
            throw refusal(.user, "certificate had expired")
        }
        guard let header = commit.signature, let signature = Base64.decode(header) else {
            throw refusal(.signature, "no signature")
        }
        guard standing.device.publicKey.isValidSignature(signature, for: commit.signedPayload, digest: .sha512) else {
            throw refusal(.signature, "signature is not of the device")
        }
        return (standing.user, device)
    }

    /// Every object below a tree is there, and everything is a plain file or a directory.
    private mutating func checkTree(_ root: ObjectID, of commit: Commit) throws {
        var pending = [(root, 0)]
        while let (id, depth) = pending.popLast() {
            // What is stored already was checked with the commit that brought it, and so was all below it.
            if checkedTrees.contains(id) { continue }
            if try !store.isStaged(id) && store.containsObject(id) { continue }
            guard depth < TreeDiff.depthLimit else { throw GitError.limitExceeded("depth of a tree") }
            for entry in try store.tree(id).entries {
                if entry.isDirectory {
                    pending.append((entry.id, depth + 1))
                } else if entry.isFile {
                    try checkBlob(entry.id)
                } else {
                    throw Refusal(commit: commit.id, rule: .commit, detail: "mode of \(entry.text)")
                }
            }
            checkedTrees.insert(id)
        }
    }

    private mutating func checkBlob(_ id: ObjectID) throws {
        guard !checkedTrees.contains(id) else { return }
        guard let object = try store.object(id) else { throw GitError.missingObject(id) }
        guard object.kind == .blob else { throw GitError.unexpectedKind(id) }
        checkedTrees.insert(id)
    }

    /// No file may differ from both parents: a merge takes one side or the other.
    private func judgeMerge(_ commit: Commit) throws {
        var sides: [Set<String>] = []
        for parent in commit.parents {
            let changes = try TreeDiff.changes(from: store.tree(of: parent), to: commit.tree, in: store)
            sides.append(Set(changes.map(\.path)))
        }
        guard sides.count == 2, sides[0].isDisjoint(with: sides[1]) else {
            throw Refusal(commit: commit.id, rule: .merge, detail: "file differs from both parents")
        }
    }

    // MARK: Facts about files

    func exists(_ path: ConversationPath, in tree: ObjectID?) throws -> Bool {
        guard let tree else { return false }
        return try store.entry(at: path.text, in: tree)?.isFile == true
    }

    /// Whether a file is there and holds nothing.
    func isEmptyFile(_ entry: TreeEntry?) throws -> Bool {
        guard let entry, entry.isFile else { return false }
        return try store.requiredObject(entry.id, as: .blob).isEmpty
    }

    /// Whether a change leaves a certificate of the author's device in place: of the same account and, if it replaces one,
    /// of the same key.
    mutating func isOwnDevice(_ change: TreeChange, _ subject: Subject) throws -> Bool {
        guard let new = change.new, let certificate = try certificates.certificate(new, of: store),
            certificate.issuer.userID == subject.user.hex
        else { return false }
        guard let old = change.old else { return true }
        return try certificates.certificate(old, of: store)?.publicKey == certificate.publicKey
    }

    /// Whether the file of an account's role holds the certificate of that account.
    mutating func isAccountFile(_ entry: TreeEntry?, of account: InfoHash) throws -> Bool {
        guard let entry else { return false }
        return try certificates.certificate(entry, of: store)?.publicKey.shortID == account
    }

    /// Mode and initial members of a conversation.
    static func facts(of store: ConversationStore) throws -> (mode: ConversationMode, initialMembers: [InfoHash]) {
        var validator = CommitValidator(store: store) { _ in false }
        return try validator.rootFacts()
    }

    /// Mode and initial members, from the initial commit.
    mutating func rootFacts() throws -> (mode: ConversationMode, initialMembers: [InfoHash]) {
        if let root { return root }
        let commit = try store.commit(store.id.commit)
        let message = try? CommitMessage(parsing: commit.message)
        guard let message, case .integer(let number) = message.fields["mode"],
            let mode = ConversationMode(rawValue: Int(clamping: number))
        else { throw Refusal(commit: commit.id, rule: .initialCommit, detail: "mode") }
        var members: [InfoHash] = []
        if let device = LongID(lowerHex: commit.author.email),
            let creator = try certificates.user(of: device, in: commit.tree, of: store)
        {
            members.append(creator)
        }
        if mode == .oneToOne, let invited = message.text("invited").flatMap({ InfoHash(lowerHex: $0) }),
            !members.contains(invited)
        {
            members.append(invited)
        }
        root = (mode, members)
        return (mode, members)
    }
}
