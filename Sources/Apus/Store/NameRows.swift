package import Foundation
import GRDB

/// The name that is registered for the account itself.
package struct OwnNameRow: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    package static let databaseTableName = "ownName"

    /// There is one row at most.
    package var id: Int64 = 1
    package var name: String
    package var server: String

    package init(name: String, server: String) {
        self.name = name
        self.server = server
    }
}

/// A registration that was asked for, with all that is needed to ask again; it holds no secret.
package struct NameRegistrationRow: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    package static let databaseTableName = "nameRegistration"
    package static let pending = "pending"

    /// There is one row at most.
    package var id: Int64 = 1
    package var name: String
    /// Forty hexadecimal digits.
    package var owner: String
    package var publicKey: Data
    package var signature: Data
    package var server: String
    /// Milliseconds since 1970.
    package var requested: Int64
    /// Milliseconds since 1970.
    package var deadline: Int64
    package var state: String
    package var reason: String

    package var isPending: Bool { state == Self.pending }

    var info: NameRegistrationInfo {
        NameRegistrationInfo(state: state, name: name, server: server, reason: reason, deadline: deadline)
    }
}
