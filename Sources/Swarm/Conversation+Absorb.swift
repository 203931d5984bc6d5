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
