import Foundation
import JSON

/// A private internet in network namespaces: hosts on a WAN, and hosts behind routers.
///
/// `Tests/Peers/netlab.py` makes it and holds it. When this process ends, by whatever cause, that program sees the end of
/// its input, kills what still runs inside and removes the namespaces.
public final class NetworkLab: Sendable {
    public struct Host: Sendable {
        public let namespace: String
        /// Empty on a host with IPv6 alone.
        public let address: String
        /// Empty unless the network has IPv6.
        public let address6: String

        /// The command that runs another one on this host.
        public func command(_ arguments: [String]) -> [String] {
            ["ip", "netns", "exec", namespace] + arguments
        }
    }

    public let folder: TemporaryFolder
    private let client: LineClient

    private init(folder: TemporaryFolder, client: LineClient) {
        self.folder = folder
        self.client = client
    }

    /// An empty internet whose namespaces have names that nobody else on this machine uses.
    public static func make(named name: String, hasIPv6: Bool = false) async throws -> NetworkLab {
        let folder = try TemporaryFolder(named: "apus-\(name)")
        let tag = String(UInt32.random(in: .min ... .max), radix: 36)
        let client = try await LineClient.start(
            [Peers.python, Peers.script("netlab.py"), "--prefix", "\(name)\(tag)"] + (hasIPv6 ? ["--ipv6"] : []),
            errorLog: folder.path + "/netlab.log"
        )
        return NetworkLab(folder: folder, client: client)
    }

    /// A host; `families` are "4", "6" or both.
    public func host(_ name: String, behind router: String? = nil, families: String = "46") async throws -> Host {
        try await make([
            "do": "host", "name": .string(name), "behind": router.map { .string($0) } ?? .null,
            "families": .string(families),
        ])
    }

    public func router(_ name: String, kind: String = "cone") async throws -> Host {
        try await make(["do": "nat", "name": .string(name), "kind": .string(kind)])
    }

    /// Drops a share of what reaches a host, in percent.
    public func setLoss(_ percent: Double, at name: String) async throws {
        try await client.request(["do": "loss", "name": .string(name), "percent": .number(percent)])
    }

    /// Pulls or plugs the cable of a host.
    public func setCable(plugged: Bool, at name: String) async throws {
        try await client.request(["do": "link", "name": .string(name), "up": .boolean(plugged)])
    }

    /// The ends of what the programs on the hosts have logged, for the report of a failure.
    public func logs(lines: Int = 200) -> String {
        let paths = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
        return paths.filter { $0.hasSuffix(".log") }.sorted().map { path in
            let text = (try? String(contentsOfFile: "\(folder.path)/\(path)", encoding: .utf8)) ?? ""
            let end = text.split(separator: "\n").suffix(lines).joined(separator: "\n")
            return "---- the end of \(path)\n\(end)"
        }.joined(separator: "\n")
    }

    /// Removes everything that was made.
    public func close() async {
        await client.process.stop(patience: .seconds(20))
    }

    private func make(_ request: [String: JSONValue]) async throws -> Host {
        let made = try await client.request(request)
        guard let namespace = made["namespace"]?.string, let address = made["address"]?.string else {
            throw PeerError("netlab.py: \(made.line)")
        }
        return Host(namespace: namespace, address: address, address6: made["address6"]?.string ?? "")
    }
}
