/// A `dhtnode` of OpenDHT, the first node of a private network.
public final class DHTBootstrapPeer: Sendable {
    public static let port = 4222
    public let process: ChildProcess
    /// What other nodes are told to start from.
    public let bootstrap: String

    /// Starts a node and waits until it answers a ping.
    public static func start(on host: NetworkLab.Host, in lab: NetworkLab) async throws -> DHTBootstrapPeer {
        let peer = try DHTBootstrapPeer(host: host, log: lab.folder.path + "/\(host.namespace).log")
        try await peer.waitUntilBound(on: host)
        return peer
    }

    private init(host: NetworkLab.Host, log: String) throws {
        bootstrap = "\(host.address):\(Self.port)"
        process = try ChildProcess(
            host.command(["dhtnode", "-s", "-n", "0", "-p", "\(Self.port)"]),
            output: .file(log),
            error: .file(log)
        )
    }

    private func waitUntilBound(on host: NetworkLab.Host) async throws {
        try await eventually(within: .seconds(20), "dhtnode listens on port \(Self.port)") {
            let sockets = try await run(host.command(["cat", "/proc/net/udp"]))
            return sockets.output.contains(":107E ") ? () : nil
        }
    }

    public func stop() async {
        await process.stop()
    }
}
