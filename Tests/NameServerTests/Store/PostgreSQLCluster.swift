import Foundation
import TestSupport

/// A PostgreSQL server of Debian's package, started once for all tests of a run on a Unix socket.
///
/// It runs as an unprivileged user and ends with its standard input, so that it does not outlive the tests.
actor PostgreSQLCluster {
    private static let programs = "/usr/lib/postgresql/15/bin"
    private static let starting = Task { try await start() }

    /// Whether this machine can start one; says once why not.
    static let isInstalled: Bool = {
        let isThere = FileManager.default.isExecutableFile(atPath: programs + "/initdb")
        if !isThere { print("Tests on PostgreSQL are skipped: \(programs)/initdb is missing (Debian: postgresql)") }
        return isThere
    }()

    static func shared() async throws -> PostgreSQLCluster {
        try await starting.value
    }

    private let folder: TemporaryFolder
    private let process: ChildProcess
    private var databases = 0

    private init(folder: TemporaryFolder, process: ChildProcess) {
        self.folder = folder
        self.process = process
    }

    private static func start() async throws -> PostgreSQLCluster {
        let folder = try TemporaryFolder(named: "pg")
        let user = geteuid() == 0 ? ["runuser", "-u", "postgres", "--"] : []
        if geteuid() == 0 { _ = try await run(["chown", "postgres", folder.path]).orThrow() }
        let data = folder.path + "/data"
        let initialize = [programs + "/initdb", "-D", data, "-U", "names", "-A", "trust", "--no-sync", "-E", "UTF8"]
        _ = try await run(user + initialize, within: .seconds(120)).orThrow()
        // Killed with the end of the input; the trailing removal also covers a test run that was killed.
        let script = """
            "$@" & server=$!
            cat > /dev/null
            kill -INT $server
            wait $server
            rm -rf "\(folder.path)"
            """
        let server = [
            programs + "/postgres", "-D", data, "-k", folder.path, "-c", "listen_addresses=",
            "-c", "shared_buffers=16MB",
        ]
        let process = try ChildProcess(
            user + ["sh", "-c", script, "sh"] + server,
            hasInput: true,
            error: .file(folder.path + "/server.log")
        )
        let cluster = PostgreSQLCluster(folder: folder, process: process)
        let goal = "PostgreSQL answers; see \(folder.path)/server.log"
        _ = try await eventually(within: .seconds(60), goal) { () -> Bool? in
            let ready = try await run([programs + "/pg_isready", "-h", folder.path, "-q"])
            return ready.succeeded ? true : nil
        }
        return cluster
    }

    /// An empty database, as a connection string.
    func makeDatabase() async throws -> String {
        databases += 1
        let name = "names\(databases)"
        _ = try await run([Self.programs + "/createdb", "-h", folder.path, "-U", "names", name]).orThrow()
        return "host=\(folder.path) user=names dbname=\(name)"
    }
}
