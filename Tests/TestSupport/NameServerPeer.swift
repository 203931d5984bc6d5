import Foundation
import JSON

/// `apus names serve` on a host of a private network.
public final class NameServerPeer: Sendable {
    /// How its accounts name it, such as `http://10.0.0.2:8080`.
    public let url: String
    public let folder: String
    private let process: ChildProcess
    private let lines: Mailbox<JSONValue>

    private init(url: String, folder: String, process: ChildProcess, lines: Mailbox<JSONValue>) {
        self.url = url
        self.folder = folder
        self.process = process
        self.lines = lines
    }

    /// Starts a server and waits until it listens; names are kept in a folder of the lab.
    public static func start(
        on host: NetworkLab.Host,
        in lab: NetworkLab,
        arguments: [String] = []
    ) async throws -> NameServerPeer {
        guard let apus = Peers.apus else { throw PeerError("The command apus is not built") }
        let folder = try lab.folder.folder(host.namespace)
        let lines = Mailbox<JSONValue>()
        let process = try ChildProcess(
            host.command(
                [apus, "names", "serve", "--data", folder, "--listen", "0.0.0.0", "--port", "8080", "--json"] + arguments
            ),
            output: .lines { line in JSONValue(parsing: line).map(lines.post) },
            error: .file("\(folder)/serve.log")
        )
        guard await lines.first(within: .seconds(60), where: { $0["listening"] != nil }) != nil else {
            process.killGroup()
            throw PeerError("The name server does not listen; see \(folder)/serve.log")
        }
        return NameServerPeer(url: "http://\(host.address):8080", folder: folder, process: process, lines: lines)
    }

    /// Stops it in good order; true when it ended with code 0.
    @discardableResult
    public func stop() async -> Bool {
        process.signal(SIGTERM)
        guard let exit = await process.waitForExit(within: .seconds(30)) else {
            process.killGroup()
            return false
        }
        return exit == .code(0)
    }
}
