import Foundation
import GRDB
import Git
import Keys
import Runtime

/// One conversation seen through one transaction, with what was read and what is about to be written.
///
/// Lives no longer than the transaction and is never shared.
final class ConversationStore {
    let database: Database
    let id: ConversationID
    private let row: Int64
    private(set) var headCommit: ObjectID?
    private(set) var mode: ConversationMode?
    let isLenient: Bool

    /// Objects that are not stored yet: of a received pack, or of a commit in the making.
    private var staged: [ObjectID: GitObject] = [:]
    private var stagedNodes: [ObjectID: CommitNode] = [:]
    private var stagedRoots: [ObjectID: ObjectID] = [:]
    private var trees: [ObjectID: Tree] = [:]
    private var nodes: [ObjectID: CommitNode] = [:]

    /// Objects larger than this are not read back, whatever the database says.
    static let objectLimit = PackLimits.standard.objectBytes

    init(_ database: Database, _ id: ConversationID) throws {
        let found = try Row.fetchOne(
            database.cachedStatement(sql: "SELECT row, head, mode, isLenient FROM swarmConversation WHERE id = ?"),
            arguments: [id.commit.data]
        )
        guard let found else { throw SwarmError.unknownConversation }
        self.database = database
        self.id = id
        row = found[0]
        headCommit = (found[1] as Data?).flatMap { ObjectID($0) }
        mode = (found[2] as Int?).flatMap { ConversationMode(rawValue: $0) }
        isLenient = found[3]
    }

    /// The head of a conversation that must have one.
    func requiredHead() throws -> ObjectID {
        guard let headCommit else { throw SwarmError.unknownConversation }
        return headCommit
    }

    // MARK: Staging

    func stage(_ object: GitObject) -> ObjectID {
        let id = object.id
        staged[id] = object
        return id
    }

    func stage(_ objects: ObjectStore) {
        staged.merge(objects.objects) { old, _ in old }
    }

    /// Makes a staged commit part of the graph; its parents must already be.
    func stageNode(_ commit: Commit) throws {
        var generation = 0
        for parent in commit.parents {
            guard let node = try node(parent) else { throw GitError.missingObject(parent) }
            generation = max(generation, node.generation + 1)
        }
        stagedNodes[commit.id] = CommitNode(
            parents: commit.parents,
            generation: generation,
            time: commit.committer.seconds
        )
        stagedRoots[commit.id] = commit.tree
    }

    func isStaged(_ id: ObjectID) -> Bool {
        staged[id] != nil
    }

    // MARK: Looking

    func containsObject(_ id: ObjectID) throws -> Bool {
        let statement = try database.cachedStatement(sql: "SELECT 1 FROM swarmObject WHERE conversation = ? AND id = ?")
        return try Bool.fetchOne(statement, arguments: [row, id.data]) ?? false
    }

    /// Whether a commit is stored, and so part of the history of the head.
    func containsCommit(_ id: ObjectID) throws -> Bool {
        try storedNode(id) != nil
    }

    func commit(_ id: ObjectID) throws -> Commit {
        try Commit(parsing: requiredObject(id, as: .commit), id: id)
    }

    private func storedNode(_ id: ObjectID) throws -> CommitNode? {
        if let node = nodes[id] { return node }
        let statement = try database.cachedStatement(
            sql: "SELECT parents, generation, time FROM swarmCommit WHERE conversation = ? AND id = ?"
        )
        guard let found = try Row.fetchOne(statement, arguments: [row, id.data]) else { return nil }
        let node = CommitNode(parents: ObjectID.list(found[0]), generation: found[1], time: found[2])
        nodes[id] = node
        return node
    }

    func position(of id: ObjectID) throws -> Int? {
        let statement = try database.cachedStatement(
            sql: "SELECT position FROM swarmCommit WHERE conversation = ? AND id = ?"
        )
        return try Int.fetchOne(statement, arguments: [row, id.data])
    }

    func commitID(at position: Int) throws -> ObjectID? {
        let statement = try database.cachedStatement(
            sql: "SELECT id FROM swarmCommit WHERE conversation = ? AND position = ?"
        )
        return try Data.fetchOne(statement, arguments: [row, position]).flatMap { ObjectID($0) }
    }

    func record(_ id: ObjectID) throws -> CommitRecord? {
        try records("id = ?", [id.data]).first
    }

    /// Records that a condition selects, oldest first or newest first.
    func records(
        _ condition: String,
        _ arguments: StatementArguments,
        newestFirst: Bool = false,
        limit: Int = -1
    ) throws -> [CommitRecord] {
        let statement = try database.cachedStatement(
            sql: """
                SELECT id, parents, author, device, time, type, message, position FROM swarmCommit
                WHERE conversation = ? AND \(condition) ORDER BY position \(newestFirst ? "DESC" : "ASC") LIMIT ?
                """
        )
        let rows = try Row.fetchAll(statement, arguments: [row] + arguments + [limit])
        return rows.compactMap { CommitRecord(row: $0) }
    }

    // MARK: Writing

    /// Stores commits with all they need, makes one of them the head, and answers the lowest position that has another
    /// commit than before.
    ///
    /// The commits are staged and come parents first; of the objects those that are there already are left alone.
    func advance(to head: ObjectID, commits: [JudgedCommit], objects: [ObjectID]) throws -> Int {
        for id in objects { try insertObject(id) }
        let (moved, anchor) = try LinearOrder.tail(from: head, in: self) { try containsCommit($0) }
        let first = try anchor.map { try (position(of: $0) ?? -1) + 1 } ?? 0
        var positions: [ObjectID: Int] = [:]
        for (index, id) in moved.reversed().enumerated() { positions[id] = first + index }
        for judged in commits {
            guard let position = positions.removeValue(forKey: judged.commit.id) else {
                throw GitError.missingObject(judged.commit.id)
            }
            try insertCommit(judged, position: position)
        }
        for (id, position) in positions {
            let statement = try database.cachedStatement(
                sql: "UPDATE swarmCommit SET position = ? WHERE conversation = ? AND id = ? AND position <> ?"
            )
            try statement.execute(arguments: [position, row, id.data, position])
        }
        let statement = try database.cachedStatement(
            sql: "UPDATE swarmConversation SET head = ?, mode = ? WHERE row = ?"
        )
        if headCommit == nil, let root = commits.first { mode = root.mode }
        try statement.execute(arguments: [head.data, mode?.rawValue, row])
        headCommit = head
        return first
    }

    private func insertObject(_ id: ObjectID) throws {
        guard let object = staged[id] else { return }
        let deflated = DeflatedObject(object)
        let statement = try database.cachedStatement(
            sql: "INSERT OR IGNORE INTO swarmObject (conversation, id, kind, size, stream) VALUES (?, ?, ?, ?, ?)"
        )
        try statement.execute(
            arguments: [row, id.data, Int(object.kind.rawValue), deflated.size, Data(deflated.stream)]
        )
    }

    private func insertCommit(_ judged: JudgedCommit, position: Int) throws {
        let commit = judged.commit
        guard let node = stagedNodes[commit.id] else { throw GitError.missingObject(commit.id) }
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO swarmCommit
                (conversation, id, position, generation, time, parents, tree, device, author, type, target, message)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        try statement.execute(
            arguments: [
                row, commit.id.data, position, node.generation, node.time,
                Data(commit.parents.flatMap(\.bytes)), commit.tree.data,
                LongID(hex: commit.author.email).map { Data($0.bytes) }, judged.author.map { Data($0.bytes) },
                judged.type, judged.target?.data, Data(commit.message),
            ]
        )
    }

    // MARK: Peers

    /// The commit a device was last known to have: what it showed us, or took from us.
    func peerHeads(of device: LongID) throws -> (fetched: ObjectID?, shown: ObjectID?) {
        let statement = try database.cachedStatement(
            sql: "SELECT fetched, shown FROM swarmPeer WHERE conversation = ? AND device = ?"
        )
        guard let found = try Row.fetchOne(statement, arguments: [row, Data(device.bytes)]) else { return (nil, nil) }
        return ((found[0] as Data?).flatMap { ObjectID($0) }, (found[1] as Data?).flatMap { ObjectID($0) })
    }

    func setPeerHead(of device: LongID, fetched: ObjectID? = nil, shown: ObjectID? = nil) throws {
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO swarmPeer (conversation, device, fetched, shown) VALUES (?, ?, ?, ?)
                ON CONFLICT (conversation, device) DO UPDATE
                SET fetched = coalesce(excluded.fetched, fetched), shown = coalesce(excluded.shown, shown)
                """
        )
        try statement.execute(arguments: [row, Data(device.bytes), fetched?.data, shown?.data])
    }

    func peersShown() throws -> [(device: LongID, head: ObjectID)] {
        let statement = try database.cachedStatement(
            sql: "SELECT device, shown FROM swarmPeer WHERE conversation = ? AND shown IS NOT NULL ORDER BY device"
        )
        return try Row.fetchAll(statement, arguments: [row]).compactMap { found in
            guard let device = LongID(found[0] as Data), let head = ObjectID(found[1] as Data) else { return nil }
            return (device, head)
        }
    }

    // MARK: Bulk reading

    /// All stored objects' names, in no particular order.
    func objectIDs() throws -> [ObjectID] {
        try Data.fetchAll(database, sql: "SELECT id FROM swarmObject WHERE conversation = ?", arguments: [row])
            .compactMap { ObjectID($0) }
    }
}

extension ConversationStore: UploadPackRepository {
    func head() throws -> ObjectID? { headCommit }

    func node(_ id: ObjectID) throws -> CommitNode? {
        if let node = stagedNodes[id] { return node }
        return try storedNode(id)
    }

    func tree(of commit: ObjectID) throws -> ObjectID {
        if let tree = stagedRoots[commit] { return tree }
        let statement = try database.cachedStatement(
            sql: "SELECT tree FROM swarmCommit WHERE conversation = ? AND id = ?"
        )
        if let tree = try Data.fetchOne(statement, arguments: [row, commit.data]).flatMap({ ObjectID($0) }) {
            return tree
        }
        return try self.commit(commit).tree
    }

    func object(_ id: ObjectID) throws -> GitObject? {
        if let object = staged[id] { return object }
        guard let deflated = try deflatedObject(id), deflated.size <= Self.objectLimit else { return nil }
        // A byte array has no padding, so its raw bytes are all initialised.
        let stream = unsafe deflated.stream.span.bytes
        let content = try Compression.inflate(stream, expecting: deflated.size).content
        return GitObject(kind: deflated.kind, content: content)
    }

    func deflatedObject(_ id: ObjectID) throws -> DeflatedObject? {
        let statement = try database.cachedStatement(
            sql: "SELECT kind, size, stream FROM swarmObject WHERE conversation = ? AND id = ?"
        )
        guard let found = try Row.fetchOne(statement, arguments: [row, id.data]),
            let kind = ObjectKind(rawValue: UInt8(clamping: found[0] as Int))
        else { return nil }
        return DeflatedObject(kind: kind, size: found[1], stream: [UInt8](found[2] as Data))
    }

    func tree(_ id: ObjectID) throws -> Tree {
        if let tree = trees[id] { return tree }
        let tree = try Tree(parsing: requiredObject(id, as: .tree))
        trees[id] = tree
        return tree
    }
}

extension ObjectID {
    var data: Data { Data(bytes) }

    /// The names in a row of twenty bytes each.
    static func list(_ data: Data) -> [ObjectID] {
        let bytes = [UInt8](data)
        return stride(from: 0, to: bytes.count - byteCount + 1, by: byteCount).compactMap {
            ObjectID(bytes[$0..<($0 + byteCount)])
        }
    }
}

extension CommitRecord {
    init?(row: Row) {
        guard let id = ObjectID(row[0] as Data) else { return nil }
        let message = [UInt8](row[6] as Data)
        self.id = id
        parents = ObjectID.list(row[1])
        author = (row[2] as Data?).flatMap { InfoHash($0) }
        device = (row[3] as Data?).flatMap { LongID($0) }
        time = row[4]
        type = row[5]
        fields = (try? CommitMessage(parsing: message))?.fields.compactMapValues(\.asText) ?? [:]
        position = row[7]
    }
}
