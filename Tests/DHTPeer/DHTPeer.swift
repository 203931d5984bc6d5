import DHT
import DHTTestSupport
import Foundation
import JSON
import Keys
import Runtime

/// A node of ours as a test peer, driven by the same JSON lines as the real one (`Tests/Peers/dht_peer.py`).
///
/// Options: `--port PORT`, `--identity`, `--client` (it keeps nothing for others). Beyond the requests of the real one:
/// `{"do": "advance", "seconds": 60}` puts its clock forward, `{"do": "query", "key": …, "text": "SELECT id"}` answers
/// rows, `{"do": "certificate", "of": 40 or 64 digits}` answers the ids of the key that was found, and `put` takes a
/// `type`. The node ends with its input.
@main
struct DHTPeer {
    let node: DHTNode
    let time: ShiftedTime

    static func main() async throws {
        let arguments = CommandLine.arguments
        var configuration = DHTNode.Configuration()
        if let position = arguments.firstIndex(of: "--port"), arguments.indices.contains(position + 1) {
            configuration.port = Int(arguments[position + 1]) ?? 0
        }
        configuration.isClient = arguments.contains("--client")
        if arguments.contains("--identity") { configuration.identity = try TestNodes.identity() }
        let time = ShiftedTime()
        let node = try await TestNodes.start(configuration, time: time)
        let peer = DHTPeer(node: node, time: time)
        Self.say([
            "event": "ready", "port": .integer(Int64(await node.boundPort)), "node": .string(await node.id.hex),
            "key": .string(configuration.identity?.key.publicKey.shortID.hex ?? ""),
            "long_key": .string(configuration.identity?.key.publicKey.longID.hex ?? ""),
        ])
        for await line in Self.input {
            guard let request = JSONValue(parsing: line) else { continue }
            // Ends by itself: each operation of a node has a deadline.
            Task { await peer.answer(request) }
        }
        exit(0)
    }

    /// The lines of the standard input, read on a thread that may wait.
    private static var input: AsyncStream<String> {
        AsyncStream { continuation in
            Thread.detachNewThread {
                while let line = readLine() { continuation.yield(line) }
                continuation.finish()
            }
        }
    }

    private static func say(_ members: [String: JSONValue]) {
        // One write for a line, so that no two are mixed.
        FileHandle.standardOutput.write(Data((JSONValue.object(members).line + "\n").utf8))
    }

    private func answer(_ request: JSONValue) async {
        let id = request["id"] ?? .null
        do {
            Self.say(["id": id, "result": .object(try await result(of: request))])
        } catch {
            Self.say(["id": id, "error": .string("\(error)")])
        }
    }

    private func result(of request: JSONValue) async throws -> [String: JSONValue] {
        let key = request["key"]?.string.flatMap { InfoHash(hex: $0) } ?? .zero
        switch request["do"]?.string {
        case "bootstrap":
            let host = request["host"]?.string ?? ""
            await node.bootstrap("\(host.contains(":") ? "[\(host)]" : host):\(request["port"]?.integer ?? 0)")
            await TestNodes.isConnected(node)
        case "put": return try await put(request, at: key)
        case "get":
            let filters = try [ValueFilter](parsing: String((request["where"]?.string ?? "").dropFirst("WHERE ".count)))
            let values = try await node.get(key, filters: filters)
            return ["ok": true, "values": .array(values.map { .object(describe($0)) })]
        case "query":
            let rows = try await node.query(key, Query(parsing: request["text"]?.string ?? ""))
            return ["rows": .array(rows.map { .string("\($0.userType ?? "") \($0.owner?.hex ?? "")") })]
        case "listen": await listen(at: key)
        case "certificate":
            let id = request["of"]?.string ?? ""
            let chain = try await certificate(id)
            return ["short": .string(chain?.shortDeviceID.hex ?? ""), "long": .string(chain?.deviceID.hex ?? "")]
        case "advance":
            time.advance(by: .seconds(request["seconds"]?.integer ?? 0))
            await node.clockMoved()
        case "look":
            let nodes = await node.savedState.contacts.map(\.id.hex).joined(separator: " ")
            return ["nodes": .string(nodes), "stored": .integer(Int64(await node.statistics.storedValues))]
        default: throw DHTError(.invalidArgument, "There is no such request")
        }
        return [:]
    }

    private func certificate(_ id: String) async throws -> CertificateChain? {
        if id.utf8.count == 64 { return try await node.findCertificate(longID: LongID(hex: id)) }
        return try await node.findCertificate(shortID: InfoHash(hex: id))
    }

    private func put(_ request: JSONValue, at key: InfoHash) async throws -> [String: JSONValue] {
        var value = Value()
        value.data = Hexadecimal.decode(request["data"]?.string ?? "") ?? []
        value.userType = request["user_type"]?.string ?? ""
        value.type = UInt16(request["type"]?.integer ?? 0)
        value.id = request["value"]?.string.flatMap { UInt64($0) } ?? 0
        let isPermanent = request["permanent"]?.boolean ?? false
        do {
            let id: Value.ID
            if let recipient = request["to"]?.string {
                guard let chain = try await certificate(recipient) else { return ["ok": false] }
                id = try await node.putEncrypted(value, at: key, for: chain.leaf.publicKey, permanent: isPermanent)
            } else if request["signed"]?.boolean == true {
                id = try await node.putSigned(value, at: key, permanent: isPermanent)
            } else {
                id = try await node.put(value, at: key, permanent: isPermanent)
            }
            return ["ok": true, "value": .string(String(id))]
        } catch let error as DHTError where error.code == .unreachable {
            return ["ok": false]
        }
    }

    private func listen(at key: InfoHash) async {
        let listener = await node.listen(at: key)
        // Ends with the node.
        Task {
            for await event in listener {
                var fields: [String: JSONValue]
                switch event {
                case .value(let opened):
                    fields = describe(opened)
                    fields["event"] = "heard"
                case .expired(let id): fields = ["event": "expired", "value": .string(String(id))]
                }
                fields["key"] = .string(key.hex)
                Self.say(fields)
            }
        }
    }

    private func describe(_ opened: OpenedValue) -> [String: JSONValue] {
        [
            "value": .string(String(opened.value.id)), "data": .string(Hexadecimal.encode(opened.value.data)),
            "user_type": .string(opened.value.userType), "owner": .string(opened.signer?.shortID.hex ?? ""),
            "was_encrypted": .boolean(opened.wasEncrypted),
        ]
    }
}
