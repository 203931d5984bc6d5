import CPostgreSQL
import Foundation
package import NameServer
import Runtime

/// A connection to a PostgreSQL server through libpq, for one thread, which it blocks.
///
/// Statements are prepared once, parameters and rows are binary, and no answer is waited for without a deadline.
/// Writers exclude each other by an advisory lock, as SQLite's do, so the local log is one chain for all of them.
@safe package final class PostgreSQLConnection: SQLConnection {
    /// The name of the writers' lock.
    private static let writerLock = "7165064483209180013"

    private let handle: OpaquePointer
    private let timeout: Duration
    private var prepared: [SQLStatement: String] = [:]
    private var hasFailed = false
    private var isClosed = false

    package let dialect = SQLDialect.postgreSQL

    package init(_ configuration: PostgreSQLStoreConfiguration) throws(NameStoreError) {
        timeout = configuration.statementTimeout
        let patience = max(2, configuration.connectTimeout.components.seconds)
        let waiting = "connect_timeout=\(patience) tcp_user_timeout=30000"
        guard let opened = unsafe PQconnectdb(Self.merge(configuration.connection, waiting)) else {
            throw .unavailable(reason: "PostgreSQL: no memory for a connection")
        }
        unsafe handle = opened
        unsafe PQsetNoticeProcessor(handle, { _, _ in }, nil)
        do throws(NameStoreError) {
            guard unsafe PQstatus(handle) == CONNECTION_OK else { throw .unavailable(reason: message) }
            try execute(
                """
                SET client_min_messages = error;
                SET synchronous_commit = on;
                SET default_transaction_isolation = 'read committed';
                SET statement_timeout = \(Self.milliseconds(timeout));
                SET lock_timeout = \(Self.milliseconds(configuration.limits.lockTimeout));
                SET idle_in_transaction_session_timeout = \(Self.milliseconds(timeout * 2))
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

    package func close() {
        guard !isClosed else { return }
        isClosed = true
        unsafe PQfinish(handle)
    }

    package var isBroken: Bool { unsafe hasFailed || PQstatus(handle) != CONNECTION_OK }
    package var isInTransaction: Bool { unsafe PQtransactionStatus(handle) != PQTRANS_IDLE }

    private static func milliseconds(_ duration: Duration) -> Int64 { Int64(duration / .milliseconds(1)) }

    /// Adds parameters to a connection string of either form.
    private static func merge(_ connection: String, _ parameters: String) -> String {
        guard connection.hasPrefix("postgresql://") || connection.hasPrefix("postgres://") else {
            return "\(parameters) \(connection)"
        }
        let query = parameters.replacing(" ", with: "&")
        return connection + (connection.contains("?") ? "&" : "?") + query
    }

    // MARK: Statements

    package func execute(_ script: String) throws(NameStoreError) {
        try send { unsafe PQsendQuery(handle, script) }
        _ = try receive()
    }

    package func run(_ statement: SQLStatement, _ values: [SQLValue]) throws(NameStoreError) -> SQLResult {
        let name = try prepare(statement)
        let parameters = Parameters(values)
        try send { unsafe parameters.send(name, on: handle) }
        return try receive()
    }

    private func prepare(_ statement: SQLStatement) throws(NameStoreError) -> String {
        if let name = prepared[statement] { return name }
        let name = "statement\(prepared.count)"
        let text = statement.text.replacing("?", with: "$")
        try send { unsafe PQsendPrepare(handle, name, text, 0, nil) }
        _ = try receive()
        prepared[statement] = name
        return name
    }

    private func send(_ body: () -> Int32) throws(NameStoreError) {
        guard !isBroken, body() == 1 else {
            hasFailed = true
            throw .unavailable(reason: message)
        }
    }

    /// The last of the results, or the first failure; all are taken, as libpq wants it.
    private func receive() throws(NameStoreError) -> SQLResult {
        let deadline = SystemTime().now + timeout + .seconds(5)
        var last = SQLResult(rows: [], changes: 0)
        var failure: NameStoreError?
        while true {
            try waitForResult(until: deadline)
            guard let result = unsafe PQgetResult(handle) else { break }
            defer { unsafe PQclear(result) }
            switch unsafe PQresultStatus(result) {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK: last = unsafe Self.content(of: result)
            default: failure = failure ?? (unsafe error(of: result))
            }
        }
        if let failure { throw failure }
        return last
    }

    private func waitForResult(until deadline: Instant) throws(NameStoreError) {
        while unsafe PQisBusy(handle) == 1 {
            let left = Self.milliseconds(deadline - SystemTime().now)
            var events = unsafe [pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)]
            let count = left > 0 ? unsafe poll(&events, 1, Int32(clamping: left)) : 0
            if count < 0, errno == EINTR { continue }
            guard count > 0, unsafe PQconsumeInput(handle) == 1 else {
                hasFailed = true
                throw .unavailable(reason: count == 0 ? "PostgreSQL does not answer" : message)
            }
        }
    }

    // MARK: Transactions

    package func beginWriting() throws(NameStoreError) {
        try execute("BEGIN; SELECT pg_advisory_xact_lock(\(Self.writerLock))")
    }

    package func beginReading() throws(NameStoreError) {
        try execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    }

    package func commit() throws(NameStoreError) {
        // A transaction that has failed would be rolled back by its commit, without an error.
        guard unsafe PQtransactionStatus(handle) == PQTRANS_INTRANS else {
            throw .unavailable(reason: "PostgreSQL has ended the transaction")
        }
        try execute("COMMIT")
    }

    package func rollback() {
        guard !isBroken, isInTransaction else { return }
        try? execute("ROLLBACK")
    }

    // MARK: Failures

    private var message: String {
        let text = unsafe String(cString: PQerrorMessage(handle))
        return "PostgreSQL: " + (text.split(separator: "\n").first.map(String.init) ?? "the connection is closed")
    }

    /// `PG_DIAG_SQLSTATE`, a macro that Swift does not see.
    private static let stateField = Int32(UInt8(ascii: "C"))

    /// Sorts failures by the classes of SQLSTATE.
    private func error(of result: OpaquePointer) -> NameStoreError {
        let state = unsafe PQresultErrorField(result, Self.stateField).map { unsafe String(cString: $0) }
        let reason = "\(message) (\(state ?? "no answer"))"
        guard let state else {
            hasFailed = true
            return .unavailable(reason: reason)
        }
        switch state {
        case "53100", "25006": return .notWritable(reason: reason)
        case _ where state.hasPrefix("58"): return .notWritable(reason: reason)
        case _ where ["08", "40", "53", "55", "57"].contains(state.prefix(2)): return .unavailable(reason: reason)
        default: return .damaged(reason: reason)
        }
    }
}
