import Foundation
import JSON
import TestSupport
import Testing

/// The command `apus names serve` as a person or a service manager runs it.
@Suite(.enabled(if: Peers.apus != nil, "the command apus is not built")) struct ServeCommandTests {
    /// A running server of its own.
    private struct Served {
        let process: ChildProcess
        let port: Int
        let folder: String

        static func start(in folder: TemporaryFolder, _ arguments: [String] = []) async throws -> Served {
            let lines = Mailbox<JSONValue>()
            var environment = ChildProcess.plainEnvironment
            environment["XDG_DATA_HOME"] = folder.path
            let process = try ChildProcess(
                [Peers.apus ?? "", "names", "serve", "--port", "0", "--json"] + arguments,
                environment: environment,
                output: .lines { line in JSONValue(parsing: line).map(lines.post) }
            )
            let greeting = await lines.first(within: .seconds(60))
            guard let port = greeting?["port"]?.integer, let served = greeting?["folder"]?.string else {
                process.killGroup()
                throw PeerError("The server did not start")
            }
            return Served(process: process, port: Int(port), folder: served)
        }

        func get(_ target: String) async throws -> RawResponse {
            let connection = try await RawConnection.open(to: port)
            connection.send("GET \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let answer = await connection.response()
            await connection.close()
            guard let answer else { throw PeerError("No answer to \(target)") }
            return answer
        }

        func stop() async -> ChildProcess.Exit? {
            process.signal(SIGTERM)
            return await process.waitForExit(within: .seconds(60))
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a server starts without configuration, keeps others out and ends in good order`() async throws {
        let folder = try TemporaryFolder(named: "serve")
        let served = try await Served.start(in: folder)
        #expect(served.folder == folder.path + "/apus/names")
        let page = try await served.get("/")
        #expect(page.body.contains("Everything works."))

        let second = [Peers.apus ?? "", "names", "serve", "--data"]
        let locked = try await run(second + [served.folder, "--port", "0"])
        #expect(locked.exit == .code(5))
        #expect(locked.error.contains("Another name server uses"))
        let inUse = try await run(second + [folder.path + "/other", "--port", String(served.port)])
        #expect(inUse.exit == .code(4))
        #expect(inUse.error.contains("Port \(served.port) is used by another program."))
        let malformed = try await run(second + [folder.path + "/other", "--mirror", "no url"])
        #expect(malformed.exit == .code(64))
        #expect(await served.stop() == .code(0))

        let again = try await Served.start(in: folder)
        #expect(await again.stop() == .code(0))
    }

    @Test(.timeLimit(.minutes(3)), .enabled(if: openFileLimit >= 11_000, "this machine allows no 11,000 open files"))
    func `ten thousand idle connections do not stop the service`() async throws {
        let folder = try TemporaryFolder(named: "serve")
        let served = try await Served.start(in: folder, ["--look-ups-per-second", "0"])
        var idle: [RawConnection] = []
        for _ in 0..<100 {
            idle += try await withThrowingTaskGroup(of: RawConnection.self) { group in
                for _ in 0..<100 { group.addTask { try await RawConnection.open(to: served.port) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        try await eventually(within: .seconds(60), "all have been accepted") {
            let metrics = try await served.get("/metrics").body
            let count = metrics.firstMatch(of: /apus_names_connections_total ([0-9]+)/).flatMap { Int($0.1) }
            return count ?? 0 >= 10_000 ? () : nil
        }
        let body = try Person.ana.body(for: "alice")
        let registering = try await RawConnection.open(to: served.port)
        registering.send("POST /name/alice HTTP/1.1\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        #expect(await registering.response()?.status == 200)
        for _ in 0..<20 {
            let found = try await served.get("/name/alice")
            #expect(found.status == 200)
        }
        await registering.close()
        for connection in idle { await connection.close() }
        #expect(await served.stop() == .code(0))
    }
}

/// The limit of open files of this process, raised as far as is allowed.
private let openFileLimit: Int = {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: limit.rlim_cur)
}()
