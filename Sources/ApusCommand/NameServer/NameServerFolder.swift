import ArgumentParser
import Foundation
import NameServer

/// Where a name server keeps its files.
struct NameServerFolder: ParsableArguments {
    @Option(name: .customLong("data"), help: "The folder of the names (default: $XDG_DATA_HOME/apus/names).")
    var dataFolder: String?

    /// As an absolute path.
    var path: String {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["HOME"] ?? NSHomeDirectory()
        let base = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(home)/.local/share"
        return URL(fileURLWithPath: dataFolder ?? "\(base)/apus/names").standardizedFileURL.path
    }

    /// Keeps other servers from the folder, which is made when it is missing.
    func lock() throws -> FolderLock {
        try FolderLock(
            folder: path,
            file: "server.lock",
            taken: Failure(
                kind: .folderInUse,
                sentence: """
                    Another name server uses \(path) already. Stop that one first, or choose another folder with --data.
                    """
            )
        )
    }

    /// The names that are kept here, with the file that every registration is written to first, if it is elsewhere.
    func openStore(registrationsLog: String?) async throws -> any NameStore {
        do {
            return try await SQLNameStore.sqlite(
                SQLiteStoreConfiguration(path: "\(path)/names.sqlite", logPath: registrationsLog)
            )
        } catch {
            throw Failure(
                kind: .refused,
                sentence: "The names in \(path) cannot be opened: \(Self.reason(of: error))."
            )
        }
    }

    private static func reason(of error: NameStoreError) -> String {
        switch error {
        case .notWritable(let reason), .unavailable(let reason), .damaged(let reason): reason
        case .closed: "the store is closed"
        }
    }
}
