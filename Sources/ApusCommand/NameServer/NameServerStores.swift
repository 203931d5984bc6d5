import NameServer
import NameServerPostgreSQL

/// Opens stores for commands, and says what is wrong in a sentence.
enum NameServerStores {
    static func open(
        _ folder: NameServerFolder,
        log: String?,
        progress: (@Sendable (LogReplayReport) -> Void)? = nil
    ) async throws -> SQLNameStore {
        do {
            if let database = folder.database {
                let configuration = PostgreSQLStoreConfiguration(
                    connection: database,
                    logPath: log ?? "\(folder.path)/registrations.log"
                )
                return try await SQLNameStore.postgreSQL(configuration, progress: progress)
            }
            let configuration = SQLiteStoreConfiguration(path: "\(folder.path)/names.sqlite", logPath: log)
            return try await SQLNameStore.sqlite(configuration, progress: progress)
        } catch {
            let place = folder.database == nil ? "in \(folder.path)" : "of the database"
            throw Failure(kind: .refused, sentence: "The names \(place) cannot be opened: \(reason(of: error)).")
        }
    }

    static func reason(of error: NameStoreError) -> String {
        switch error {
        case .notWritable(let reason), .unavailable(let reason), .damaged(let reason): reason
        case .closed: "the store is closed"
        }
    }
}
