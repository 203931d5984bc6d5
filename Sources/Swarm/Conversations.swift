public import GRDB
public import Git
public import Keys
public import Runtime

import Foundation

/// Operations on the conversations in an account's database.
///
/// All run inside a transaction of the caller, who may so store a commit, its notification and its events together. An
/// operation that throws leaves the transaction to be rolled back. The caller also sees to it that at most one fetch of a
/// conversation is under way; commits made meanwhile are merged. Source: conversations protocol.
public enum Conversations {
    /// The largest message text in bytes of JSON.
    public static let messageLimit = 1 << 20

    /// The names of all conversations here, also of those that are still to be cloned.
    public static func all(in database: Database) throws -> [ConversationID] {
        try Data.fetchAll(database, sql: "SELECT id FROM swarmConversation ORDER BY id")
            .compactMap { ObjectID($0).map { ConversationID($0) } }
    }

    /// Whether a conversation is known, cloned or not.
    public static func exists(_ id: ConversationID, in database: Database) throws -> Bool {
        let sql = "SELECT 1 FROM swarmConversation WHERE id = ?"
        return try Bool.fetchOne(database, sql: sql, arguments: [id.commit.data]) ?? false
    }

    /// Makes room for a conversation that will be cloned; harmless when it is here.
    public static func prepareClone(of id: ConversationID, at time: WallTime, in database: Database) throws {
        let sql = "INSERT OR IGNORE INTO swarmConversation (id, created) VALUES (?, ?)"
        try database.execute(sql: sql, arguments: [id.commit.data, time.milliseconds])
    }

    /// Erases a conversation with its whole history.
    public static func erase(_ id: ConversationID, in database: Database) throws {
        for table in ["swarmObject", "swarmCommit", "swarmPeer"] {
            try database.execute(
                sql: "DELETE FROM \(table) WHERE conversation = (SELECT row FROM swarmConversation WHERE id = ?)",
                arguments: [id.commit.data]
            )
        }
        try database.execute(sql: "DELETE FROM swarmConversation WHERE id = ?", arguments: [id.commit.data])
    }

    /// Whether the content of received commits is judged by the rules of older peers; strict at first.
    public static func setLenient(_ isLenient: Bool, for id: ConversationID, in database: Database) throws {
        let sql = "UPDATE swarmConversation SET isLenient = ? WHERE id = ?"
        try database.execute(sql: sql, arguments: [isLenient, id.commit.data])
    }

    // MARK: Looking

    /// The newest commit; `nil` while the conversation is not cloned, or not known at all.
    public static func head(of id: ConversationID, in database: Database) throws -> ObjectID? {
        guard try exists(id, in: database) else { return nil }
        return try ConversationStore(database, id).headCommit
    }

    /// What the initial commit declares; `nil` while the conversation is not cloned.
    public static func mode(of id: ConversationID, in database: Database) throws -> ConversationMode? {
        try ConversationStore(database, id).mode
    }

    /// Whether a commit is in the history.
    public static func contains(_ commit: ObjectID, in id: ConversationID, database: Database) throws -> Bool {
        guard try exists(id, in: database) else { return false }
        return try ConversationStore(database, id).containsCommit(commit)
    }

    /// Whether a commit is in the history of another one, or is that one.
    public static func isAncestor(
        _ commit: ObjectID,
        of descendant: ObjectID,
        in id: ConversationID,
        database: Database
    ) throws -> Bool {
        let store = try ConversationStore(database, id)
        guard try store.containsCommit(descendant) else { return false }
        return try store.isAncestor(commit, of: descendant)
    }

    /// All accounts that belong or belonged to the conversation.
    public static func members(of id: ConversationID, in database: Database) throws -> [Member] {
        let store = try ConversationStore(database, id)
        guard let head = store.headCommit else { return [] }
        let root = try CommitValidator.facts(of: store)
        let initial = root.mode == .oneToOne ? root.initialMembers : []
        return try Roles.members(of: store.tree(of: head), initialMembers: initial, store)
    }

    /// The role of one account; `nil` for a stranger.
    public static func role(
        of account: InfoHash,
        in id: ConversationID,
        database: Database
    ) throws -> MemberRole? {
        try members(of: id, in: database).first { $0.account == account }?.role
    }

    /// Whether an account may fetch the conversation.
    public static func isMemberOrInvited(
        _ account: InfoHash,
        of id: ConversationID,
        in database: Database
    ) throws -> Bool {
        guard try exists(id, in: database) else { return false }
        switch try role(of: account, in: id, database: database) {
        case .admin, .member, .invited: return true
        case .banned, .left, nil: return false
        }
    }

    /// Whether a device was banned by itself.
    public static func isBanned(device: LongID, in id: ConversationID, database: Database) throws -> Bool {
        let store = try ConversationStore(database, id)
        guard let head = store.headCommit else { return false }
        let path = ConversationPath.banned(.devices, target: device.hex)
        return try store.entry(at: path.text, in: store.tree(of: head)) != nil
    }

    /// One commit.
    public static func record(
        of commit: ObjectID,
        in id: ConversationID,
        database: Database
    ) throws -> CommitRecord? {
        try ConversationStore(database, id).record(commit)
    }

    /// A part of the history in linear order, newest first.
    ///
    /// - Parameters:
    ///   - start: the newest commit to answer, inclusive; the head when `nil`.
    ///   - limit: the most commits to answer.
    public static func history(
        of id: ConversationID,
        from start: ObjectID? = nil,
        limit: Int,
        in database: Database
    ) throws -> [CommitRecord] {
        let store = try ConversationStore(database, id)
        guard let start = start ?? store.headCommit else { return [] }
        guard let position = try store.position(of: start) else { throw SwarmError.unknownCommit(start) }
        return try store.records("position <= ?", [position], newestFirst: true, limit: max(0, limit))
    }

    /// The commits from a place in the linear order on, oldest first.
    public static func records(
        of id: ConversationID,
        fromPosition position: Int,
        limit: Int,
        in database: Database
    ) throws -> [CommitRecord] {
        try ConversationStore(database, id).records("position >= ?", [position], limit: max(0, limit))
    }

    /// Editions, reactions and replies that name a commit, oldest first.
    public static func records(
        naming commit: ObjectID,
        in id: ConversationID,
        database: Database
    ) throws -> [CommitRecord] {
        try ConversationStore(database, id).records("target = ?", [commit.data])
    }

    /// How many commits the history has.
    public static func count(of id: ConversationID, in database: Database) throws -> Int {
        let store = try ConversationStore(database, id)
        guard let head = store.headCommit, let position = try store.position(of: head) else { return 0 }
        return position + 1
    }

    // MARK: Peers

    /// Remembers the head that a device was shown at the end of a session it brought to its end.
    public static func recordShown(
        _ head: ObjectID,
        of id: ConversationID,
        to device: LongID,
        in database: Database
    ) throws {
        try ConversationStore(database, id).setPeerHead(of: device, shown: head)
    }

    /// The head that a device was shown last.
    public static func shown(
        of id: ConversationID,
        to device: LongID,
        in database: Database
    ) throws -> ObjectID? {
        try ConversationStore(database, id).peerHeads(of: device).shown
    }

    /// Whether a device has a commit, as far as we know: it was shown a head above it, or showed us one.
    public static func hasSeen(
        _ commit: ObjectID,
        device: LongID,
        in id: ConversationID,
        database: Database
    ) throws -> Bool {
        let store = try ConversationStore(database, id)
        let heads = try store.peerHeads(of: device)
        for head in [heads.shown, heads.fetched].compactMap({ $0 }) where try store.containsCommit(head) {
            if try store.isAncestor(commit, of: head) { return true }
        }
        return false
    }

    /// What every device was shown last.
    public static func shownHeads(of id: ConversationID, in database: Database) throws -> [LongID: ObjectID] {
        let pairs = try ConversationStore(database, id).peersShown()
        return Dictionary(pairs.map { ($0.device, $0.head) }) { _, last in last }
    }
}
