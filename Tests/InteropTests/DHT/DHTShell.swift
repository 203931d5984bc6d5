import Foundation
import Synchronization
import TestSupport

/// Debian's `dhtnode` driven through its shell.
final class DHTShell: Sendable {
    private let process: ChildProcess
    private let lines = Mailbox<String>()
    /// Lines before this one were looked at.
    private let position = Mutex(0)
    let address: String
    let port: Int
    /// The short id of its key, in hexadecimal digits.
    let keyID: String

    static let isInstalled = FileManager.default.isExecutableFile(atPath: "/usr/bin/dhtnode")

    /// Starts a node, on this machine's own network without a host; it keeps its nodes and values in the file `state`.
    static func start(
        on host: NetworkLab.Host? = nil,
        port: Int = 0,
        bootstrap: String? = nil,
        hasIdentity: Bool = false,
        state: String? = nil
    ) async throws -> DHTShell {
        var arguments = ["dhtnode", "-n", "0", "-p", "\(port)"]
        if let bootstrap { arguments += ["-b", bootstrap] }
        if let state { arguments += ["-f", state] }
        if hasIdentity { arguments.append("-i") }
        return try await DHTShell(
            host?.command(arguments) ?? arguments,
            address: host?.anyAddress ?? "127.0.0.1",
            hasIdentity: hasIdentity
        )
    }

    private init(_ arguments: [String], address: String, hasIdentity: Bool) async throws {
        self.address = address
        let lines = lines
        process = try ChildProcess(arguments, hasInput: true, output: .lines { lines.post($0) })
        let ready = await lines.first(within: .seconds(60)) { $0.contains("running on port") }
        guard let port = ready?.split(separator: " ").last.flatMap({ Int($0) }) else {
            throw PeerError("dhtnode did not start: \(lines.all)")
        }
        self.port = port
        guard hasIdentity else {
            keyID = ""
            return
        }
        let line = await lines.first(within: .seconds(60)) { $0.hasPrefix("Public key ID") }
        keyID = line?.split(separator: " ").last.map { String($0) } ?? ""
    }

    /// Types a command and waits for a line of the answer.
    @discardableResult
    func type(_ command: String, until text: String? = nil, within timeout: Duration = .seconds(60)) async throws
        -> String
    {
        position.withLock { $0 = lines.all.count }
        process.send(command)
        guard let text else { return "" }
        return try await line(containing: text, within: timeout)
    }

    /// A line since the last command.
    func line(containing text: String, within timeout: Duration = .seconds(60)) async throws -> String {
        let line = await lines.first(from: position.withLock { $0 }, within: timeout) { $0.contains(text) }
        guard let line else { throw PeerError("dhtnode did not say “\(text)”: \(lines.all.suffix(20))") }
        return line
    }

    /// Asks the node to end, so that it saves its state.
    func quit() async {
        process.send("x")
        _ = await process.waitForExit(within: .seconds(20))
        process.killGroup()
    }

    func stop() async {
        process.killGroup()
        _ = await process.waitForExit(within: .seconds(10))
    }
}
