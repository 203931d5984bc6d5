public import GRDB
public import Git
public import Keys
public import Runtime

/// What became of a fetched head.
public struct Absorbed: Hashable, Sendable {
    /// The commits that are new here, oldest first, the merge that was made last among them.
    public let newCommits: [CommitRecord]
    /// The merge that was made because both sides had commits of their own.
    public let merge: CommitRecord?
    /// The head afterwards.
    public let head: ObjectID
    /// The lowest place in the linear order that has another commit than before; `nil` when nothing is new.
    public let firstMovedPosition: Int?
}

extension Conversation {
    /// Takes a fetched head into a conversation: validates what is new, stores it, and merges where both sides went on.
    ///
    /// Of the objects of the pack only what the new commits need is stored. Throws ``SwarmError/refused(_:)`` when a rule is
    /// broken and other errors when it cannot be merged now; nothing has changed then. The first fetch is refused when the
    /// own account is neither member nor invited.
    public static func absorb(
        _ database: Database,
        _ objects: ObjectStore,
        head: ObjectID,
        into id: ConversationID,
        from device: LongID?,
        signer: CommitSigner,
        at time: WallTime
    ) throws -> Absorbed {
        let store = try ConversationStore(database, id)
        if let local = store.headCommit, try store.containsCommit(head) {
            if let device { try store.setPeerHead(of: device, fetched: head) }
            return Absorbed(newCommits: [], merge: nil, head: local, firstMovedPosition: nil)
        }
        var absorbed: Absorbed?
        try database.inSavepoint {
            absorbed = try absorb(objects, head: head, in: store, signer: signer, at: time)
            if let device { try store.setPeerHead(of: device, fetched: head) }
            return .commit
        }
        guard let absorbed else { throw SwarmError.unknownCommit(head) }
        return absorbed
    }

    private static func absorb(
        _ objects: ObjectStore,
        head: ObjectID,
        in store: ConversationStore,
        signer: CommitSigner,
        at time: WallTime
    ) throws -> Absorbed {
        let local = store.headCommit
        do {
            var absorption = try Absorption(store, objects, head: head)
            try absorption.validate()
            let isForward = local.map { absorption.isChild(of: $0) } ?? true
            if local == nil { try absorption.requireMembership(of: signer.account) }
            var first = try store.advance(to: head, commits: absorption.judged, objects: absorption.neededObjects())
            var merge: CommitRecord?
            if let local, !isForward {
                let made = try Merging.merge(head, into: local, in: store, signer: signer, at: time)
                first = min(first, made.firstMoved)
                merge = made.record
            }
            let new = try absorption.judged.compactMap { try store.record($0.commit.id) } + (merge.map { [$0] } ?? [])
            return Absorbed(
                newCommits: new.sorted { $0.position < $1.position },
                merge: merge,
                head: try store.requiredHead(),
                firstMovedPosition: first
            )
        } catch let refusal as Refusal {
            throw SwarmError.refused(refusal)
        } catch GitError.mergeConflict(let path) {
            throw SwarmError.refused(Refusal(commit: head, rule: .conflict, detail: path))
        } catch let error as GitError {
            throw SwarmError.refused(Refusal(commit: head, rule: .incomplete, detail: "\(error)"))
        }
    }

    /// Judges a head and everything new below it without storing anything.
    ///
    /// - Returns: the refusal, or `nil` when all is well.
    public static func judge(
        _ database: Database,
        _ objects: ObjectStore,
        head: ObjectID,
        in id: ConversationID
    ) throws -> Refusal? {
        do {
            var absorption = try Absorption(try ConversationStore(database, id), objects, head: head)
            try absorption.validate()
            return nil
        } catch let refusal as Refusal {
            return refusal
        } catch let error as GitError {
            return Refusal(commit: head, rule: .incomplete, detail: "\(error)")
        }
    }
}

/// The new commits of one fetch.
struct Absorption {
    private let store: ConversationStore
    private let head: ObjectID
    /// Parents before children.
    private var commits: [Commit] = []
    private var ids: Set<ObjectID> = []
    private(set) var judged: [JudgedCommit] = []

    /// Finds what is reachable from the head and not stored; every object is taken from the pack.
    init(_ store: ConversationStore, _ objects: ObjectStore, head: ObjectID) throws {
        self.store = store
        self.head = head
        store.stage(objects)
        var found: [ObjectID: Commit] = [:]
        var pending = [head]
        while let id = pending.popLast() {
            guard found[id] == nil, try !store.containsCommit(id) else { continue }
            let commit = try store.commit(id)
            found[id] = commit
            pending += commit.parents
        }
        ids = Set(found.keys)
        commits = Self.parentsFirst(found)
        for commit in commits { try store.stageNode(commit) }
    }

    private static func parentsFirst(_ found: [ObjectID: Commit]) -> [Commit] {
        var children: [ObjectID: [ObjectID]] = [:]
        var missing: [ObjectID: Int] = [:]
        for (id, commit) in found.sorted(by: { $0.key < $1.key }) {
            let parents = Set(commit.parents).filter { found[$0] != nil }
            missing[id] = parents.count
            for parent in parents { children[parent, default: []].append(id) }
        }
        var ready = missing.filter { $0.value == 0 }.map(\.key).sorted()
        var order: [Commit] = []
        while let id = ready.popLast() {
            if let commit = found[id] { order.append(commit) }
            for child in children[id] ?? [] {
                missing[child, default: 0] -= 1
                if missing[child] == 0 { ready.append(child) }
            }
        }
        return order
    }

    /// Judges all new commits, parents first.
    mutating func validate() throws {
        let (store, ids) = (store, ids)
        var validator = CommitValidator(store: store) { try ids.contains($0) || store.containsCommit($0) }
        if store.headCommit == nil, !ids.contains(store.id.commit) {
            throw Refusal(commit: head, rule: .initialCommit, detail: "history without the initial commit")
        }
        for commit in commits { judged.append(try validator.judge(commit)) }
    }

    /// Whether the new commits build on a commit, directly or not, if that commit is the local head.
    func isChild(of local: ObjectID) -> Bool {
        commits.contains { $0.parents.contains(local) }
    }

    func requireMembership(of account: InfoHash) throws {
        let tree = try store.tree(of: head)
        for path in [ConversationPath.admin(account), .member(account), .invited(account)]
        where try store.entry(at: path.text, in: tree) != nil {
            return
        }
        throw Refusal(commit: head, rule: .membership, detail: "own account")
    }

    /// The new commits and all they need that is not stored yet.
    func neededObjects() throws -> [ObjectID] {
        var needed = commits.map(\.id)
        var seen: Set<ObjectID> = []
        var pending = commits.map(\.tree)
        while let tree = pending.popLast() {
            guard seen.insert(tree).inserted, store.isStaged(tree), try !store.containsObject(tree) else { continue }
            needed.append(tree)
            for entry in try store.tree(tree).entries {
                if entry.isDirectory {
                    pending.append(entry.id)
                } else if seen.insert(entry.id).inserted {
                    needed.append(entry.id)
                }
            }
        }
        return needed
    }
}

/// Brings two heads together.
///
/// Source: conversations protocol, "Merging".
enum Merging {
    /// How deep merge bases are themselves merged when there are several.
    private static let depthLimit = 8

    static func merge(
        _ remote: ObjectID,
        into local: ObjectID,
        in store: ConversationStore,
        signer: CommitSigner,
        at time: WallTime
    ) throws -> (record: CommitRecord, firstMoved: Int) {
        var objects = ObjectStore()
        let tree = try mergedTree(local, remote, in: store, into: &objects, depth: 0)
        for path in [ConversationPath.device(signer.device)] where try store.entry(at: path.text, in: tree) == nil {
            throw SwarmError.deviceNotListed
        }
        let roles = [ConversationPath.member(signer.account), .admin(signer.account)]
        guard try roles.contains(where: { try store.entry(at: $0.text, in: tree) != nil }) else {
            throw SwarmError.notMember
        }
        let commit = try CommitWriter.sign(
            tree: tree,
            parents: [local, remote],
            message: CommitMessage.mergeText(remote),
            signer: signer,
            at: time
        )
        let judged = JudgedCommit(commit: commit, author: signer.account, message: nil, mode: nil)
        return try CommitWriter.store(judged, objects: Array(objects.objects.keys), in: store)
    }

    private static func mergedTree(
        _ ours: ObjectID,
        _ theirs: ObjectID,
        in store: ConversationStore,
        into objects: inout ObjectStore,
        depth: Int
    ) throws -> ObjectID {
        let bases = try store.mergeBases(ours, theirs)
        var base = try bases.first.map { try store.tree(of: $0) }
        if depth < depthLimit {
            // Several bases that contradict each other are no better than one of them.
            for (first, other) in zip(bases, bases.dropFirst()) {
                base = (try? mergedTree(first, other, in: store, into: &objects, depth: depth + 1)) ?? base
            }
        }
        let tree = try TreeMerge.merge(
            base: base,
            ours: store.tree(of: ours),
            theirs: store.tree(of: theirs),
            from: store,
            into: &objects
        ) { path, base, left, right in
            guard path == ConversationPath.profile.text, base != nil, left != nil, right != nil else { return nil }
            return ours > theirs ? left : right
        }
        store.stage(objects)
        return tree
    }
}
