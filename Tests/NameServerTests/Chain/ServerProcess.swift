import AsyncHTTPClient
import Foundation
import JSON
import Keys
import NIOCore
import NIOHTTP1
import NameRegistry
import TestSupport

/// A whole name server as a process that can be killed.
final class ServerProcess: Sendable {
    /// Registrations are held for a while, and others must not wait behind them for a connection.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1_000
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    let child: ChildProcess
    let url: String

    private init(_ child: ChildProcess, _ url: String) {
        self.child = child
        self.url = url
    }

    static func start(_ options: [String], folder: String) async throws -> ServerProcess {
        guard let apus = Peers.apus else { throw PeerError("The command apus is not built") }
        let lines = Mailbox<JSONValue>()
        let child = try ChildProcess(
            [
                apus, "names", "serve", "--json", "--data", folder, "--listen", "127.0.0.1", "--port", "0",
                "--allow-unsigned", "--registrations-per-minute", "0", "--look-ups-per-second", "0",
            ] + options,
            output: .lines { line in JSONValue(parsing: line).map { lines.post($0) } },
            error: .file(folder + "/server.log")
        )
        guard let url = await lines.first(within: .seconds(60), where: { $0["listening"] != nil })?["listening"]?.string
        else {
            child.killGroup()
            throw PeerError("The server does not listen; see \(folder)/server.log: \(Self.log(folder))")
        }
        return ServerProcess(child, url)
    }

    static func log(_ folder: String) -> String {
        String(((try? String(contentsOfFile: folder + "/server.log", encoding: .utf8)) ?? "").suffix(1_500))
    }

    /// SIGKILL, in the middle of whatever it does.
    func kill() async {
        child.signal(SIGKILL)
        _ = await child.waitForExit(within: .seconds(10))
    }

    func stop() async { await child.stop(patience: .seconds(20)) }

    /// The status and the body of an answer; a status of 0 for none.
    func get(_ path: String) async -> (status: UInt, body: JSONValue) {
        await exchange(HTTPClientRequest(url: url + path), within: .seconds(20))
    }

    /// Registers an unsigned name.
    func register(_ name: String, _ account: InfoHash) async -> UInt {
        await post("/name/\(name)", ["addr": .string(account.hex), "owner": .string(account.hex)]).status
    }

    func post(
        _ path: String,
        _ body: JSONValue,
        within timeout: TimeAmount = .seconds(100)
    ) async -> (status: UInt, body: JSONValue) {
        await post(path, text: body.line, within: timeout)
    }

    func post(
        _ path: String,
        text: String,
        within timeout: TimeAmount = .seconds(100)
    ) async -> (status: UInt, body: JSONValue) {
        var request = HTTPClientRequest(url: url + path)
        request.method = .POST
        request.body = .bytes(Array(text.utf8))
        return await exchange(request, within: timeout)
    }

    private func exchange(
        _ request: HTTPClientRequest,
        within timeout: TimeAmount
    ) async -> (status: UInt, body: JSONValue) {
        guard let response = try? await Self.client.execute(request, timeout: timeout),
            let body = try? await response.body.collect(upTo: 1 << 20)
        else { return (0, .null) }
        return (response.status.code, JSONValue(parsing: String(buffer: body)) ?? .null)
    }
}
