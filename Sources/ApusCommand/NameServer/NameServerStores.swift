import NameServer

/// Opens stores for commands, and says what is wrong in a sentence.
enum NameServerStores {
    static func openSQLite(
        in folder: String,
        log: String?,
        progress: (@Sendable (LogReplayReport) -> Void)? = nil
    ) async throws -> SQLNameStore {
        do {
            let configuration = SQLiteStoreConfiguration(path: "\(folder)/names.sqlite", logPath: log)
            return try await SQLNameStore.sqlite(configuration, progress: progress)
        } catch {
            throw Failure(
                kind: .refused,
                sentence: "The names in \(folder) cannot be opened: \(reason(of: error))."
            )
        }
    }

    static func reason(of error: NameStoreError) -> String {
        switch error {
        case .notWritable(let reason), .unavailable(let reason), .damaged(let reason): reason
        case .closed: "the store is closed"
        }
    }
}
