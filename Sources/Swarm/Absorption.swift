import Git
import Keys

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
