public import NameServer

/// Where a store in PostgreSQL is.
public struct PostgreSQLStoreConfiguration: Sendable {
    /// A connection string or URI of libpq; the database exists already.
    public var connection: String
    /// The registrations' log of this server, on its own medium.
    public var logPath: String
    public var limits = NameStoreLimits()
    public var connectTimeout: Duration = .seconds(5)
    /// How long one statement may take.
    public var statementTimeout: Duration = .seconds(30)

    public init(connection: String, logPath: String) {
        self.connection = connection
        self.logPath = logPath
    }
}

extension SQLNameStore {
    /// Opens a store in PostgreSQL, and makes its tables where they are missing.
    ///
    /// A connection that breaks is opened again when it is needed, with growing pauses in between; meanwhile calls throw
    /// ``NameStoreError/unavailable(reason:)``. The progress is reported after each 2,000 operations that are brought from
    /// the log or to it.
    public static func postgreSQL(
        _ configuration: PostgreSQLStoreConfiguration,
        progress: (@Sendable (LogReplayReport) -> Void)? = nil
    ) async throws(NameStoreError) -> SQLNameStore {
        try await postgreSQL(configuration, progress: progress, steps: { (_) throws(NameStoreError) in })
    }

    package static func postgreSQL(
        _ configuration: PostgreSQLStoreConfiguration,
        progress: (@Sendable (LogReplayReport) -> Void)? = nil,
        steps: @escaping StoreSteps
    ) async throws(NameStoreError) -> SQLNameStore {
        try await SQLNameStore(
            limits: configuration.limits,
            logPath: configuration.logPath,
            progress: progress,
            steps: steps
        ) { () throws(NameStoreError) in
            try PostgreSQLConnection(configuration)
        }
    }
}
