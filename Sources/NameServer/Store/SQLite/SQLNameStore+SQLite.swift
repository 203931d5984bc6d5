/// Where a store in SQLite keeps its files.
public struct SQLiteStoreConfiguration: Sendable {
    /// The database; made when it is missing.
    public var path: String
    /// The registrations' log, best on another volume.
    public var logPath: String
    public var limits = NameStoreLimits()

    /// The log is `registrations.log` beside the database unless said otherwise.
    public init(path: String, logPath: String? = nil) {
        self.path = path
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        self.logPath = logPath ?? folder + "registrations.log"
    }
}

extension SQLNameStore {
    /// Opens a store in SQLite, or makes an empty one.
    ///
    /// What only one of the database and the log has is brought to the other; so an empty database beside a log is filled
    /// from it. The progress is reported after each 2,000 operations that are brought over.
    public static func sqlite(
        _ configuration: SQLiteStoreConfiguration,
        progress: (@Sendable (LogReplayReport) -> Void)? = nil
    ) async throws(NameStoreError) -> SQLNameStore {
        try await sqlite(configuration, progress: progress, steps: { (_) throws(NameStoreError) in })
    }

    package static func sqlite(
        _ configuration: SQLiteStoreConfiguration,
        progress: (@Sendable (LogReplayReport) -> Void)? = nil,
        steps: @escaping StoreSteps
    ) async throws(NameStoreError) -> SQLNameStore {
        let (path, timeout) = (configuration.path, configuration.limits.lockTimeout)
        return try await SQLNameStore(
            limits: configuration.limits,
            logPath: configuration.logPath,
            progress: progress,
            steps: steps
        ) { () throws(NameStoreError) in
            try SQLiteConnection(path: path, lockTimeout: timeout)
        }
    }
}
