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
    private var process: ChildProcess
    private var databases = 0

    /// Where its socket is.
    nonisolated var path: String { folder.path }

    private init(folder: TemporaryFolder, process: ChildProcess) {
        self.folder = folder
        self.process = process
    }

    private static var user: [String] { geteuid() == 0 ? ["runuser", "-u", "postgres", "--"] : [] }

    /// A server for one test alone, which may kill it.
    static func start() async throws -> PostgreSQLCluster {
        let folder = try TemporaryFolder(named: "pg")
        if geteuid() == 0 { _ = try await run(["chown", "postgres", folder.path]).orThrow() }
        let data = folder.path + "/data"
        let initialize = [programs + "/initdb", "-D", data, "-U", "names", "-A", "trust", "--no-sync", "-E", "UTF8"]
        _ = try await run(user + initialize, within: .seconds(120)).orThrow()
        return PostgreSQLCluster(folder: folder, process: try await serve(folder))
    }

    private static func serve(_ folder: TemporaryFolder) async throws -> ChildProcess {
        // Killed with the end of the input; the trailing removal also covers a test run that was killed.
        let script = """
            "$@" & server=$!
            cat > /dev/null
            kill -INT $server || exit 0
            wait $server
            rm -rf "\(folder.path)"
            """
        let server = [
            programs + "/postgres", "-D", folder.path + "/data", "-k", folder.path, "-c", "listen_addresses=",
            "-c", "shared_buffers=16MB",
        ]
        let process = try ChildProcess(
            user + ["sh", "-c", script, "sh"] + server,
            hasInput: true,
            error: .file(folder.path + "/server.log")
        )
        let goal = "PostgreSQL answers; see \(folder.path)/server.log"
        _ = try await eventually(within: .seconds(60), goal) { () -> Bool? in
            let ready = try await run([programs + "/pg_isready", "-h", folder.path, "-q"])
            return ready.succeeded ? true : nil
        }
        return process
    }

    /// Kills the server and all its processes at once, and starts it again.
    func killAndRestart() async throws {
        let file = try String(contentsOfFile: folder.path + "/data/postmaster.pid", encoding: .utf8)
        guard let server = file.split(separator: "\n").first.flatMap({ Int32($0) }), server > 1 else {
            throw PeerError("PostgreSQL has no number")
        }
        let list = try String(contentsOfFile: "/proc/\(server)/task/\(server)/children", encoding: .utf8)
        let numbers = [server] + list.split(separator: " ").compactMap { Int32($0) }
        for number in numbers { kill(number, SIGKILL) }
        try await eventually(within: .seconds(20), every: .milliseconds(20), "PostgreSQL is dead") {
            numbers.contains { Self.isRunning($0) } ? nil : ()
        }
        process = try await Self.serve(folder)
    }

    /// Whether a process is there, and not just its remains.
    private static func isRunning(_ number: Int32) -> Bool {
        let status = try? String(contentsOfFile: "/proc/\(number)/status", encoding: .utf8)
        return status.map { !$0.contains("State:\tZ") } ?? false
    }

    /// Runs a statement by the usual client.
    func execute(_ statement: String) async throws {
        let client = [Self.programs + "/psql", "-h", folder.path, "-U", "names", "-d", "postgres", "-qc", statement]
        _ = try await run(client).orThrow()
    }

    /// An empty database, as a connection string.
    func makeDatabase() async throws -> String {
        databases += 1
        let name = "names\(databases)"
        _ = try await run([Self.programs + "/createdb", "-h", folder.path, "-U", "names", name]).orThrow()
        return "host=\(folder.path) user=names dbname=\(name)"
    }
}
