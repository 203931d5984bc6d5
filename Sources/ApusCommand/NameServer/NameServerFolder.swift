import ArgumentParser
import Foundation

/// Where a name server keeps its files.
struct NameServerFolder: ParsableArguments {
    @Option(name: .customLong("data"), help: "The folder of the names (default: $XDG_DATA_HOME/apus/names).")
    var dataFolder: String?

    @Option(
        name: .customLong("store"),
        help: ArgumentHelp(
            "A PostgreSQL database that keeps the names instead of SQLite, as postgres://USER@HOST/DATABASE.",
            discussion: "The log of registrations stays in the folder. A password is best in PGPASSWORD or ~/.pgpass."
        )
    )
    var database: String?

    /// As an absolute path.
    var path: String {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["HOME"] ?? NSHomeDirectory()
        let base = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(home)/.local/share"
        return URL(fileURLWithPath: dataFolder ?? "\(base)/apus/names").standardizedFileURL.path
    }

    func validate() throws {
        guard let database else { return }
        guard ["postgres://", "postgresql://"].contains(where: database.hasPrefix) else {
            throw ValidationError("A database is given by a URL such as postgres://names@localhost/names.")
        }
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
}
