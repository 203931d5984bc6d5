import Foundation
package import GRDB
package import Runtime

/// A message as stored, in the order in which this device learnt of it.
package struct MessageRow: Codable, Sendable, Equatable, FetchableRecord {
    package var sequence: Int64
    package var id: String
    package var conversation: String
    package var contact: String
    package var author: String
    package var body: String
    package var time: Int64
    package var state: String
    package var isRead: Bool

    package var info: MessageInfo {
        let state = MessageInfo.State(rawValue: state) ?? .received
        return MessageInfo(
            message: id,
            conversation: conversation,
            contact: contact,
            from: author,
            body: body,
            time: time,
            direction: state == .received ? .incoming : .outgoing,
            state: state,
            sequence: sequence
        )
    }
}

/// Messages and events of an account, written in the transaction that stores what they tell of.
package struct Timeline: Sendable {
    /// How many events are kept for clients that were away.
    package static let eventLimit: Int64 = 100_000

    package let account: String

    package init(account: String) {
        self.account = account
    }

    /// A message of a conversation that is about to be recorded.
    package struct NewMessage: Sendable {
        package var id: String
        package var conversation: String
        package var contact: String
        package var author: String
        package var body: String
        package var time: WallTime
        package var state: MessageInfo.State
    }

    /// Records a message and its event; a message that is known already changes nothing.
    package func record(_ message: NewMessage, at now: WallTime, in database: Database) throws {
        try database.execute(
            sql: """
                INSERT OR IGNORE INTO message (id, conversation, contact, author, body, time, state, isRead)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                message.id, message.conversation, message.contact, message.author, message.body,
                message.time.milliseconds, message.state.rawValue, message.state != .received,
            ]
        )
        guard database.changesCount > 0, let row = try Self.message(message.id, in: database) else { return }
        try append(.messageNew, contact: message.contact, message: row.info, at: now, in: database)
    }

    /// Notes that a device of the other side has these messages of ours.
    package func markSent(_ ids: [String], at now: WallTime, in database: Database) throws {
        for id in ids {
            try database.execute(
                sql: "UPDATE message SET state = 'sent' WHERE id = ? AND state = 'stored'",
                arguments: [id]
            )
            guard database.changesCount > 0, let row = try Self.message(id, in: database) else { continue }
            try append(.messageStatus, contact: row.contact, message: row.info, at: now, in: database)
        }
    }

    /// Records an event.
    package func append(
        _ kind: EventInfo.Kind,
        contact: String? = nil,
        conversation: String? = nil,
        message: MessageInfo? = nil,
        reason: String? = nil,
        at now: WallTime,
        in database: Database
    ) throws {
        let event = EventInfo(
            account: account,
            sequence: 0,
            kind: kind,
            time: now.milliseconds,
            message: message,
            contact: contact,
            conversation: conversation ?? message?.conversation,
            reason: reason
        )
        let content = String(decoding: try JSONEncoder().encode(event), as: UTF8.self)
        try database.execute(sql: "INSERT INTO event (content) VALUES (?)", arguments: [content])
        try database.execute(
            sql: "DELETE FROM event WHERE sequence <= ?",
            arguments: [database.lastInsertedRowID - Self.eventLimit]
        )
    }

    /// Events after a sequence number, oldest first.
    package static func events(after sequence: Int64, limit: Int, in database: Database) throws -> [EventInfo] {
        let rows = try Row.fetchAll(
            database,
            sql: "SELECT sequence, content FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?",
            arguments: [sequence, limit]
        )
        return try rows.map { row in
            let content: String = row["content"]
            var event = try JSONDecoder().decode(EventInfo.self, from: Data(content.utf8))
            event.sequence = row["sequence"]
            return event
        }
    }

    package static func lastEvent(in database: Database) throws -> Int64 {
        try Int64.fetchOne(database, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'event'") ?? 0
    }

    // MARK: Messages

    package static func message(_ id: String, in database: Database) throws -> MessageRow? {
        try MessageRow.fetchOne(database, sql: "SELECT * FROM message WHERE id = ?", arguments: [id])
    }

    /// Messages that nobody was shown yet, oldest first.
    package static func unread(limit: Int, in database: Database) throws -> [MessageRow] {
        try MessageRow.fetchAll(
            database,
            sql: "SELECT * FROM message WHERE isRead = 0 ORDER BY sequence LIMIT ?",
            arguments: [limit]
        )
    }

    /// The newest messages, of one conversation or of all, oldest first.
    package static func latest(
        conversation: String?,
        before sequence: Int64,
        limit: Int,
        in database: Database
    ) throws -> [MessageRow] {
        let rows = try MessageRow.fetchAll(
            database,
            sql: """
                SELECT * FROM message
                WHERE sequence < ?1 AND (?2 IS NULL OR conversation = ?2) ORDER BY sequence DESC LIMIT ?3
                """,
            arguments: [sequence, conversation, limit]
        )
        return rows.reversed()
    }

    package static func markRead(_ ids: [String], in database: Database) throws {
        for id in ids {
            try database.execute(sql: "UPDATE message SET isRead = 1 WHERE id = ?", arguments: [id])
        }
    }

    /// Own messages of a conversation that no device of the other side has, oldest first.
    package static func unsent(conversation: String, in database: Database) throws -> [MessageRow] {
        try MessageRow.fetchAll(
            database,
            sql: "SELECT * FROM message WHERE conversation = ? AND state = 'stored' ORDER BY sequence",
            arguments: [conversation]
        )
    }

    package static func unsentCount(in database: Database) throws -> Int {
        try Int.fetchOne(database, sql: "SELECT count(*) FROM message WHERE state = 'stored'") ?? 0
    }
}
