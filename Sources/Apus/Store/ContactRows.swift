import Foundation
package import GRDB
package import Runtime

/// A contact as stored; times are seconds since 1970.
package struct ContactRow: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    package static let databaseTableName = "contact"

    /// Account id, 40 hexadecimal digits.
    package var id: String
    package var alias: String
    package var added: Int64
    package var removed: Int64
    /// The other side has accepted, or invited us.
    package var confirmed: Bool
    package var banned: Bool
    package var conversation: String
    /// When we invited them, in milliseconds; 0 when they invited us.
    package var invited: Int64
    /// Our acceptance may not have reached them yet.
    package var answerDue: Bool
    /// The name that the contact was added by, empty without one; it never changes by itself.
    package var registeredName = ""
    /// How sure the name was when it was pinned.
    package var nameAssurance = ""
    /// The name server that said so.
    package var nameServer = ""
    /// When the name was last looked up, in milliseconds since 1970.
    package var nameChecked: Int64 = 0
    /// Another account that the name server gives the name to, which the user was told of.
    package var nameConflict = ""

    package var isActive: Bool { added > removed }
}

/// An invitation that waits for an answer.
package struct RequestRow: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    package static let databaseTableName = "request"

    package var id: String
    package var conversation: String
    /// Seconds since 1970.
    package var received: Int64
    /// The sender's vCard.
    package var payload: [UInt8]

    package enum CodingKeys: String, CodingKey {
        case id
        case conversation
        case received
        case payload
    }

    package init(id: String, conversation: String, received: Int64, payload: [UInt8]) {
        self.id = id
        self.conversation = conversation
        self.received = received
        self.payload = payload
    }

    package init(row: Row) throws {
        id = row["id"]
        conversation = row["conversation"]
        received = row["received"]
        let data: Data = row["payload"]
        payload = Array(data)
    }

    package func encode(to container: inout PersistenceContainer) {
        container["id"] = id
        container["conversation"] = conversation
        container["received"] = received
        container["payload"] = Data(payload)
    }
}

/// A device of a contact, with the certificates that prove whose it is.
package struct DeviceRow: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    package static let databaseTableName = "device"

    /// 64 hexadecimal digits.
    package var id: String
    /// 40 hexadecimal digits.
    package var shortId: String
    package var account: String
    /// PEM, leaf first, byte for byte as published.
    package var chain: String
    /// Seconds since 1970.
    package var seen: Int64
}

/// Message and value ids that were treated already, so that a repetition does nothing.
package enum TreatedIDs {
    /// How long an id is remembered: longer than any peer repeats it.
    static let memory = Duration.seconds(7 * 86_400)

    /// Whether the id is new; remembers it.
    package static func isNew(_ id: String, at time: WallTime, in database: Database) throws -> Bool {
        try database.execute(
            sql: "INSERT OR IGNORE INTO treated (id, time) VALUES (?, ?)",
            arguments: [id, time.seconds]
        )
        let isNew = database.changesCount > 0
        if isNew {
            let horizon = time.seconds - memory.wholeMilliseconds / 1000
            try database.execute(sql: "DELETE FROM treated WHERE time < ?", arguments: [horizon])
        }
        return isNew
    }
}
