import JSON
import Keys
import TestSupport

/// A node on a host of a private network, a real one or one of ours, driven by the same JSON lines.
final class DHTPeerNode: Sendable {
    enum Kind: Hashable, Sendable {
        case ours
        case real(OpenDHT)
    }

    struct Found: Sendable {
        let id: String
        let data: [UInt8]
        let userType: String
        /// The short id of the key that signed; empty without one, and always in version 2.4.12.
        let owner: String

        init(_ content: JSONValue) {
            id = content["value"]?.string ?? ""
            data = Hex.bytes(content["data"]?.string ?? "")
            userType = content["user_type"]?.string ?? ""
            owner = content["owner"]?.string ?? ""
        }
    }

    struct Put: Sendable {
        let isConfirmed: Bool
        let id: String
    }

    /// The port of a node that has its host for itself.
    static let port = 4222

    let kind: Kind
    let address: String
    /// Empty unless its network has IPv6.
    let address6: String
    let port: Int
    let nodeID: String
    /// The short id of its key; empty without an identity.
    let keyID: String
    /// The long id of its key; empty without one, and in version 2.4.12.
    let longKeyID: String
    private let client: LineClient

    /// Starts a node; options are those of both kinds, such as `--identity`, and port 0 is one that the system chooses.
    static func start(
        _ kind: Kind,
        _ options: [String] = [],
        port: Int = port,
        on host: NetworkLab.Host,
        in lab: NetworkLab
    ) async throws -> DHTPeerNode {
        let program: [String]
        switch kind {
        case .ours:
            guard let ours = Peers.dhtPeer else { throw PeerError("The program DHTPeer is not built") }
            program = [ours]
        case .real(let version):
            guard let python = version.python else { throw PeerError(version.missing ?? "") }
            program = [python, Peers.script("dht_peer.py")]
        }
        let client = try await LineClient.start(
            host.command(program + ["--port", "\(port)"] + options),
            errorLog: "\(lab.folder.path)/\(host.namespace).log"
        )
        return DHTPeerNode(kind, client: client, host: host)
    }

    private init(_ kind: Kind, client: LineClient, host: NetworkLab.Host) {
        self.kind = kind
        self.client = client
        address = host.anyAddress
        address6 = host.address6
        let ready = client.events.all.first
        port = Int(ready?["port"]?.integer ?? 0)
        nodeID = ready?["node"]?.string ?? ""
        keyID = ready?["key"]?.string ?? ""
        longKeyID = ready?["long_key"]?.string ?? ""
    }

    /// Ends the node as a crash would.
    func kill() async {
        client.process.killGroup()
        _ = await client.process.waitForExit(within: .seconds(10))
    }

    // MARK: Operations

    @discardableResult
    private func ask(_ action: String, _ members: [String: JSONValue] = [:]) async throws -> JSONValue {
        var members = members
        members["do"] = .string(action)
        return try await client.request(members, within: .seconds(90))
    }

    func join(_ address: String, _ port: Int = port) async throws {
        try await ask("bootstrap", ["host": .string(address), "port": .integer(Int64(port))])
    }

    @discardableResult
    func put(
        _ data: [UInt8],
        at key: InfoHash,
        userType: String = "",
        type: UInt16? = nil,
        id: UInt64? = nil,
        permanent: Bool = false,
        signed: Bool = false,
        for recipient: String? = nil
    ) async throws -> Put {
        var request: [String: JSONValue] = [
            "key": .string(key.hex), "data": .string(Hex.text(data)), "user_type": .string(userType),
            "permanent": .boolean(permanent), "signed": .boolean(signed),
        ]
        if let type { request["type"] = .integer(Int64(type)) }
        if let id { request["value"] = .string(String(id)) }
        if let recipient { request["to"] = .string(recipient) }
        let answer = try await ask("put", request)
        return Put(isConfirmed: answer["ok"]?.boolean ?? false, id: answer["value"]?.string ?? "")
    }

    func get(_ key: InfoHash, where condition: String = "") async throws -> [Found] {
        let answer = try await ask("get", ["key": .string(key.hex), "where": .string(condition)])
        return (answer["values"]?.array ?? []).map(Found.init)
    }

    func listen(at key: InfoHash) async throws {
        try await ask("listen", ["key": .string(key.hex)])
    }

    /// Waits until the listener at a key hears of a value.
    @discardableResult
    func hears(_ data: [UInt8], at key: InfoHash) async throws -> Found {
        let wanted = Hex.text(data)
        let event = await client.events.first(within: .seconds(60)) {
            $0["event"]?.string == "heard" && $0["key"]?.string == key.hex && $0["data"]?.string == wanted
        }
        guard let event else { throw PeerError("The listener did not hear of a value of \(data.count) bytes") }
        return Found(event)
    }

    /// Waits until the listener at a key hears that a value is gone.
    func hearsExpiration(of id: String, at key: InfoHash) async throws {
        let event = await client.events.first(within: .seconds(60)) {
            $0["event"]?.string == "expired" && $0["key"]?.string == key.hex && $0["value"]?.string == id
        }
        guard event != nil else { throw PeerError("The listener did not hear that the value is gone") }
    }

    func hasHeardExpiration(of id: String) -> Bool {
        client.events.all.contains { $0["event"]?.string == "expired" && $0["value"]?.string == id }
    }

    func knows(_ other: DHTPeerNode) async throws -> Bool {
        try await ask("look")["nodes"]?.string?.contains(other.nodeID) ?? false
    }

    /// How many values it stores.
    func storedValues() async throws -> Int {
        let answer = try await ask("look")
        if let number = answer["stored"]?.integer { return Int(number) }
        // "Total 1 storages, 2 values (…"
        let words = (answer["storage"]?.string ?? "").split(whereSeparator: \.isWhitespace)
        guard let total = words.lastIndex(of: "Total"), words.indices.contains(total + 3) else { return 0 }
        return Int(words[total + 3]) ?? 0
    }

    // MARK: What one kind alone can do

    /// Changes how long a real node keeps values of a type.
    func keep(type: UInt16, for seconds: Int64) async throws {
        try await ask("lifetime", ["type": .integer(Int64(type)), "seconds": .integer(seconds)])
    }

    /// How many pings a real node was sent.
    func pings() async throws -> Int64 {
        try await ask("look")["counts"]?["ping"]?.integer ?? 0
    }

    /// Puts the clock of a node of ours forward.
    func advance(by seconds: Int64) async throws {
        try await ask("advance", ["seconds": .integer(seconds)])
    }

    /// The rows that a node of ours gets: user type and owner.
    func query(_ key: InfoHash, _ text: String) async throws -> [String] {
        let answer = try await ask("query", ["key": .string(key.hex), "text": .string(text)])
        return (answer["rows"]?.array ?? []).compactMap(\.string)
    }

    /// The ids of the key in the certificate that a node of ours finds for an id of a key.
    func certificate(of id: String) async throws -> (short: String, long: String) {
        let answer = try await ask("certificate", ["of": .string(id)])
        return (answer["short"]?.string ?? "", answer["long"]?.string ?? "")
    }
}

extension NetworkLab.Host {
    /// The address of a host with one family.
    var anyAddress: String { address.isEmpty ? address6 : address }
}
