import GRDBSQLite

/// A connection to an SQLite database, for one thread.
///
/// Statements are prepared once. Rows are read by the plain interface of SQLite, since a look-up has to be quick.
@safe final class SQLiteConnection: SQLConnection {
    /// Pages of the cache, in KiB.
    static let cacheSize = 16_384

    private let handle: OpaquePointer
    private var statements: [SQLStatement: OpaquePointer] = unsafe [:]
    private var isOpen = true

    let dialect = SQLDialect.sqlite
    let isBroken = false

    /// Tells SQLite that the end of the text is found by it, and that it has to copy.
    private static let copied = unsafe unsafeBitCast(-1 as Int, to: sqlite3_destructor_type.self)

    init(path: String, lockTimeout: Duration) throws(NameStoreError) {
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE
        let code = unsafe sqlite3_open_v2(path, &opened, flags, nil)
        guard let opened = unsafe opened else { throw .unavailable(reason: "SQLite has no memory") }
        unsafe handle = opened
        guard code == SQLITE_OK else {
            let error = unsafe Self.failure(code, of: opened)
            unsafe sqlite3_close_v2(opened)
            throw error
        }
        do throws(NameStoreError) {
            unsafe sqlite3_busy_timeout(handle, Int32(clamping: lockTimeout.components.seconds * 1_000))
            try execute(
                """
                PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                PRAGMA cache_size = -\(Self.cacheSize); PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY
                """
            )
        } catch {
            close()
            throw error
        }
    }

    deinit {
        close()
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        while let (_, statement) = unsafe statements.popFirst() { unsafe sqlite3_finalize(statement) }
        unsafe sqlite3_close_v2(handle)
    }

    var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

    // MARK: Statements

    func execute(_ script: String) throws(NameStoreError) {
        try check(unsafe sqlite3_exec(handle, script, nil, nil, nil))
    }

    func run(_ statement: SQLStatement, _ values: [SQLValue]) throws(NameStoreError) -> SQLResult {
        let prepared = unsafe try prepare(statement)
        defer { unsafe sqlite3_reset(prepared) }
        for (index, value) in values.enumerated() {
            try check(unsafe bind(value, to: Int32(index + 1), of: prepared))
        }
        var rows: [[SQLValue]] = []
        while true {
            switch unsafe sqlite3_step(prepared) {
            case SQLITE_ROW: rows.append(unsafe row(of: prepared))
            case SQLITE_DONE: return SQLResult(rows: rows, changes: Int(unsafe sqlite3_changes(handle)))
            case let code: throw unsafe Self.failure(code, of: handle)
            }
        }
    }

    private func prepare(_ statement: SQLStatement) throws(NameStoreError) -> OpaquePointer {
        if let prepared = unsafe statements[statement] { return unsafe prepared }
        var prepared: OpaquePointer?
        let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
        try check(unsafe sqlite3_prepare_v3(handle, statement.text, -1, flags, &prepared, nil))
        guard let prepared = unsafe prepared else { throw .damaged(reason: "An empty statement") }
        unsafe statements[statement] = prepared
        return unsafe prepared
    }

    private func bind(_ value: SQLValue, to index: Int32, of statement: OpaquePointer) -> Int32 {
        switch value {
        case .null: return unsafe sqlite3_bind_null(statement, index)
        case .integer(let number): return unsafe sqlite3_bind_int64(statement, index, number)
        case .text(let text):
            return unsafe sqlite3_bind_text(statement, index, text, Int32(clamping: text.utf8.count), Self.copied)
        case .bytes(let bytes):
            guard !bytes.isEmpty else { return unsafe sqlite3_bind_zeroblob(statement, index, 0) }
            return unsafe sqlite3_bind_blob(statement, index, bytes, Int32(clamping: bytes.count), Self.copied)
        }
    }

    private func row(of statement: OpaquePointer) -> [SQLValue] {
        let count = unsafe sqlite3_column_count(statement)
        var values: [SQLValue] = []
        values.reserveCapacity(Int(count))
        for column in 0..<count {
            switch unsafe sqlite3_column_type(statement, column) {
            case SQLITE_INTEGER: values.append(.integer(unsafe sqlite3_column_int64(statement, column)))
            case SQLITE_TEXT:
                let text = unsafe sqlite3_column_text(statement, column)
                let length = Int(unsafe sqlite3_column_bytes(statement, column))
                let bytes = unsafe UnsafeBufferPointer(start: text, count: length)
                values.append(.text(unsafe String(decoding: bytes, as: UTF8.self)))
            case SQLITE_BLOB:
                let start = unsafe sqlite3_column_blob(statement, column)
                let length = Int(unsafe sqlite3_column_bytes(statement, column))
                values.append(.bytes(unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: length))))
            default: values.append(.null)
            }
        }
        return values
    }

    // MARK: Transactions

    private static let begin = SQLStatement("BEGIN")
    private static let beginImmediate = SQLStatement("BEGIN IMMEDIATE")
    private static let end = SQLStatement("COMMIT")
    private static let abandon = SQLStatement("ROLLBACK")

    func beginWriting() throws(NameStoreError) {
        _ = try run(Self.beginImmediate)
    }

    func beginReading() throws(NameStoreError) {
        _ = try run(Self.begin)
    }

    func commit() throws(NameStoreError) {
        _ = try run(Self.end)
    }

    func rollback() {
        // Some failures have ended the transaction already.
        guard isInTransaction else { return }
        _ = try? run(Self.abandon)
    }

    // MARK: Failures

    private func check(_ code: Int32) throws(NameStoreError) {
        guard code == SQLITE_OK else { throw unsafe Self.failure(code, of: handle) }
    }

    private static func failure(_ code: Int32, of handle: OpaquePointer) -> NameStoreError {
        let reason = unsafe "SQLite: " + String(cString: sqlite3_errmsg(handle))
        switch code & 0xFF {
        case SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH:
            return .notWritable(reason: reason)
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_INTERRUPT, SQLITE_PROTOCOL, SQLITE_SCHEMA:
            return .unavailable(reason: reason)
        default: return .damaged(reason: reason)
        }
    }
}
