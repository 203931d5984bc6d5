import Foundation
public import GRDB
public import Git
public import Keys

/// Operations on the conversations in an account's database.
///
/// All run inside a transaction of the caller, who may so store a commit, its notification and its events together. An
/// operation that throws leaves the transaction to be rolled back. The caller also sees to it that at most one fetch of a
/// conversation is under way; commits made meanwhile are merged. Source: conversations protocol.
public enum Conversation {
    /// The largest message text in bytes of JSON.
    public static let messageLimit = 1 << 20

    /// The names of all conversations here, also of those that are still to be cloned.
    public static func all(_ database: Database) throws -> [ConversationID] {
        try Data.fetchAll(database, sql: "SELECT id FROM swarmConversation ORDER BY id")
            .compactMap { ObjectID($0).map { ConversationID($0) } }
    }

    /// Whether the history of a conversation is here.
    public static func isPresent(_ database: Database, _ id: ConversationID) throws -> Bool {
        try exists(database, id) && ConversationStore(database, id).headCommit != nil
    }

    private static func exists(_ database: Database, _ id: ConversationID) throws -> Bool {
        let sql = "SELECT 1 FROM swarmConversation WHERE id = ?"
        return try Bool.fetchOne(database, sql: sql, arguments: [id.commit.data]) ?? false
    }

    /// Makes room for a conversation that will be cloned; harmless when it is here.
    public static func prepareClone(_ database: Database, _ id: ConversationID) throws {
        let sql = "INSERT OR IGNORE INTO swarmConversation (id) VALUES (?)"
        try database.execute(sql: sql, arguments: [id.commit.data])
    }

    /// Erases a conversation with its whole history.
    public static func erase(_ database: Database, _ id: ConversationID) throws {
        for table in ["swarmObject", "swarmCommit", "swarmPeer"] {
            try database.execute(
                sql: "DELETE FROM \(table) WHERE conversation = (SELECT row FROM swarmConversation WHERE id = ?)",
                arguments: [id.commit.data]
            )
        }
        try database.execute(sql: "DELETE FROM swarmConversation WHERE id = ?", arguments: [id.commit.data])
    }

    /// Whether the content of received commits is judged by the rules of older peers; strict at first.
    public static func setLenient(_ database: Database, _ id: ConversationID, _ isLenient: Bool) throws {
        let sql = "UPDATE swarmConversation SET isLenient = ? WHERE id = ?"
        try database.execute(sql: sql, arguments: [isLenient, id.commit.data])
    }

    // MARK: Looking

    /// The newest commit; `nil` while the conversation is not cloned, or not known at all.
    public static func head(_ database: Database, _ id: ConversationID) throws -> ObjectID? {
        guard try exists(database, id) else { return nil }
        return try ConversationStore(database, id).headCommit
    }

    public static func mode(_ database: Database, _ id: ConversationID) throws -> ConversationMode? {
        try ConversationStore(database, id).mode
    }

    /// Whether a commit is in the history.
    public static func contains(_ database: Database, _ id: ConversationID, _ commit: ObjectID) throws -> Bool {
        guard try exists(database, id) else { return false }
        return try ConversationStore(database, id).containsCommit(commit)
    }

    /// Whether a commit is in the history of another one, or is that one.
    public static func isAncestor(
        _ database: Database,
        _ id: ConversationID,
        _ commit: ObjectID,
        of descendant: ObjectID
    ) throws -> Bool {
        let store = try ConversationStore(database, id)
        guard try store.containsCommit(descendant) else { return false }
        return try store.isAncestor(commit, of: descendant)
    }

    /// All accounts that belong or belonged to the conversation.
    public static func members(_ database: Database, _ id: ConversationID) throws -> [Member] {
        let store = try ConversationStore(database, id)
        guard let head = store.headCommit else { return [] }
        let root = try CommitValidator.facts(of: store)
        let initial = root.mode == .oneToOne ? root.initialMembers : []
        return try Roles.members(of: store.tree(of: head), initialMembers: initial, store)
    }

    /// The role of one account; `nil` for a stranger.
    public static func role(_ database: Database, _ id: ConversationID, of account: InfoHash) throws -> MemberRole? {
        try members(database, id).first { $0.account == account }?.role
    }

    /// Whether a device was banned by itself.
    public static func isBanned(_ database: Database, _ id: ConversationID, device: LongID) throws -> Bool {
        let store = try ConversationStore(database, id)
        guard let head = store.headCommit else { return false }
        let path = ConversationPath.banned(.devices, target: device.hex)
        return try store.entry(at: path.text, in: store.tree(of: head)) != nil
    }

    /// One commit.
    public static func record(_ database: Database, _ id: ConversationID, _ commit: ObjectID) throws -> CommitRecord? {
        try ConversationStore(database, id).record(commit)
    }

    /// A part of the history in linear order, newest first.
    ///
    /// Begins with the commit `start`, or with the head, and holds at most `limit` commits.
    public static func history(
        _ database: Database,
        _ id: ConversationID,
        from start: ObjectID? = nil,
        limit: Int
    ) throws -> [CommitRecord] {
        let store = try ConversationStore(database, id)
        guard let start = start ?? store.headCommit else { return [] }
        guard let position = try store.position(of: start) else { throw SwarmError.unknownCommit(start) }
        return try store.records("position <= ?", [position], newestFirst: true, limit: max(0, limit))
    }

    /// The commits behind a place in the linear order, oldest first.
    public static func records(
        _ database: Database,
        _ id: ConversationID,
        after position: Int,
        limit: Int
    ) throws -> [CommitRecord] {
        try ConversationStore(database, id).records("position > ?", [position], limit: max(0, limit))
    }

    /// Editions, reactions and replies that name a commit, oldest first.
    public static func records(_ database: Database, _ id: ConversationID, naming commit: ObjectID) throws
        -> [CommitRecord]
    {
        try ConversationStore(database, id).records("target = ?", [commit.data])
    }

    /// How many commits the history has.
    public static func count(_ database: Database, _ id: ConversationID) throws -> Int {
        let store = try ConversationStore(database, id)
        guard let head = store.headCommit, let position = try store.position(of: head) else { return 0 }
        return position + 1
    }

    // MARK: Peers

    /// Remembers the head that a device was shown at the end of a session it brought to its end.
    public static func setShown(
        _ database: Database,
        _ id: ConversationID,
        head: ObjectID,
        to device: LongID
    ) throws {
        let store = try ConversationStore(database, id)
        // Of two sessions on two channels the one with the older head may end last.
        if let last = try store.peerHeads(of: device).shown, try store.containsCommit(head),
            try store.containsCommit(last),
            try store.isAncestor(head, of: last)
        {
            return
        }
        try store.setPeerHead(of: device, shown: head)
    }

    /// Whether a device was shown a head that holds a commit: then it needs no further notification of it.
    public static func hasSeen(
        _ database: Database,
        _ id: ConversationID,
        device: LongID,
        commit: ObjectID
    ) throws -> Bool {
        let store = try ConversationStore(database, id)
        for head in [try store.peerHeads(of: device).shown, try store.peerHeads(of: device).fetched].compactMap({ $0 })
        {
            if try store.containsCommit(head), try store.isAncestor(commit, of: head) { return true }
        }
        return false
    }

    /// What every device was shown last.
    public static func shownHeads(_ database: Database, _ id: ConversationID) throws -> [LongID: ObjectID] {
        let pairs = try ConversationStore(database, id).peersShown()
        return Dictionary(pairs.map { ($0.device, $0.head) }) { _, last in last }
    }
}
