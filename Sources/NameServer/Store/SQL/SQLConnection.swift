/// A value of a statement's parameter or of a row's column.
package enum SQLValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case text(String)
    case bytes([UInt8])
}

/// A statement with parameters `?1`, `?2`…, prepared once on each connection.
package struct SQLStatement: Hashable, Sendable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }
}

package struct SQLResult: Sendable {
    package var rows: [[SQLValue]]
    /// How many rows a statement has inserted, changed or removed.
    package var changes: Int

    package init(rows: [[SQLValue]], changes: Int) {
        self.rows = rows
        self.changes = changes
    }
}

/// A connection to a database that keeps a ``NameStore``; used by one thread, which it blocks.
package protocol SQLConnection: AnyObject {
    var dialect: SQLDialect { get }
    /// Whether nothing more can be expected of it, so that it has to be opened again.
    var isBroken: Bool { get }
    var isInTransaction: Bool { get }

    func run(_ statement: SQLStatement, _ values: [SQLValue]) throws(NameStoreError) -> SQLResult
    /// Runs statements without parameters and without rows.
    func execute(_ script: String) throws(NameStoreError)
    /// Begins a transaction that excludes other writers, of other processes too.
    func beginWriting() throws(NameStoreError)
    /// Begins a transaction that sees one state.
    func beginReading() throws(NameStoreError)
    /// Ends a transaction; what it wrote is on disk afterwards.
    func commit() throws(NameStoreError)
    func rollback()
    func close()
}

extension SQLConnection {
    package func run(_ statement: SQLStatement, _ values: SQLValue...) throws(NameStoreError) -> SQLResult {
        try run(statement, values)
    }
}

/// What the databases write differently.
package enum SQLDialect: Sendable {
    case sqlite
    case postgreSQL
}
