import ArgumentParser
import DHT
import Foundation
import JSON
import Keys
import Logging
import NIOPosix
import TestSupport
import Testing

@testable import ApusCommand

@Suite struct DHTOptionsTests {
    @Test(arguments: [
        ([], ["bootstrap.jami.net"]), (["--network", "7"], []), (["--bootstrap", "none"], []),
        (["--bootstrap", "a:1, b"], ["a:1", "b"]), (["--network", "7", "--bootstrap", "a"], ["a"]),
    ])
    func `the network is joined where it is said`(arguments: [String], expected: [String]) throws {
        #expect(try DHTOptions.parse(arguments).bootstrap == expected)
    }

    @Test(arguments: [
        ["get"], ["get", "0000000000000000000000000000000000000000"], ["get", "k", "WHERE", "nope=1"], ["put", "k"],
        ["put", "k", "v", "--sign"], ["put", "k", "v", "--encrypt-for", "xyz", "--identity", "f"],
        ["query", "k", "SELECT nope"], ["get", "k", "--timeout", "0"], ["get", "k", "--port", "65536"],
        ["node", "--identity", "a", "--save-identity", "b"], ["frobnicate"],
    ])
    func `what cannot be meant is refused before anything begins`(arguments: [String]) {
        #expect(throws: (any Error).self) { try DHTCommand.parseAsRoot(arguments) }
    }
}

/// The command as a person starts it, against a node of this process.
@Suite(.enabled(if: Peers.apus != nil, "the command was not built"), .timeLimit(.minutes(2)))
struct DHTCommandTests {
    /// A private network of one node on this machine.
    private final class PrivateNetwork: Sendable {
        let node: DHTNode
        let options: [String]

        init(bootstrap port: Int? = nil) async throws {
            var configuration = DHTNode.Configuration()
            configuration.bindAddress = "127.0.0.1"
            configuration.bindAddress6 = nil
            configuration.network = 77
            configuration.bootstrap = port.map { ["127.0.0.1:\($0)"] } ?? []
            node = DHTNode(
                configuration: configuration,
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                logger: Logger(label: "test")
            )
            try await node.start()
            options = ["--network", "77", "--bootstrap", "127.0.0.1:\(await node.boundPort)", "--no-discovery"]
        }

        func dht(_ arguments: [String], input: String? = nil) async throws -> CommandResult {
            try await run([Peers.apus ?? "", "dht"] + arguments + options, input: input)
        }
    }

    private func objects(_ result: CommandResult) throws -> [JSONValue] {
        try result.lines.map { try JSONDecoder().decode(JSONValue.self, from: Data($0.utf8)) }
    }

    @Test func `what is put is got, by text and by hash`() async throws {
        let network = try await PrivateNetwork()
        let put = try await network.dht(["put", "greeting", "grüß dich"]).orThrow()
        let key = InfoHash(hashing: "greeting")
        #expect(put.output.hasPrefix("Stored at \(key) as "))
        let stored = try await network.node.get(key)
        #expect(stored.map(\.value.userType) == ["text/plain"])
        for name in ["greeting", key.hex] {
            let got = try await network.dht(["get", name]).orThrow()
            #expect(got.output.hasSuffix("  grüß dich\n"))
        }
        let json = try objects(try await network.dht(["get", "greeting", "--json"]).orThrow())
        #expect(json.map { $0["text"] } == ["grüß dich"])
        let filtered = try await network.dht(["get", "greeting", "WHERE", "user_type=other"])
        #expect(filtered.exit == .code(2) && filtered.output.isEmpty)
        let rows = try objects(try await network.dht(["query", "greeting", "SELECT user_type", "--json"]).orThrow())
        #expect(rows.map { $0["user_type"] } == ["text/plain"])
        await network.node.shutdown()
    }

    @Test func `nothing there and nobody there have exit codes of their own`() async throws {
        let network = try await PrivateNetwork()
        let nothing = try await network.dht(["get", "nowhere"])
        #expect(nothing.exit == .code(2))
        #expect(nothing.error == "apus: Nothing is stored at \(InfoHash(hashing: "nowhere")).\n")
        let nobody = try await run([
            Peers.apus ?? "", "dht", "get", "x", "--network", "78", "--bootstrap", "none", "--no-discovery",
        ])
        #expect(nobody.exit == .code(3))
        #expect(nobody.error == "apus: There is no address to start from.\n")
        let nonsense = try await network.dht(["get"])
        #expect(nonsense.exit == .code(64))
        await network.node.shutdown()
    }

    @Test func `commands on a pipe are done one after the other, until its end`() async throws {
        let network = try await PrivateNetwork()
        let input = """
            p room one two
            g room

            nonsense
            q room SELECT user_type
            """
        let result = try await network.dht(["node"], input: input).orThrow()
        let lines = result.lines
        #expect(lines.count == 6)
        #expect(lines[0].hasPrefix("Stored at room ("))
        #expect(lines[1].hasSuffix("  one two"))
        #expect(lines[2].hasPrefix("1 value at room ("))
        #expect(lines[3].contains("“nonsense”"))
        #expect(lines[4] == "  user_type \"text/plain\"")
        #expect(await network.node.storage.places.map(\.key) == [InfoHash(hashing: "room")])
        await network.node.shutdown()
    }

    @Test func `a listener shows what is there and what comes`() async throws {
        let network = try await PrivateNetwork()
        _ = try await network.dht(["put", "room", "before"]).orThrow()
        let events = Mailbox<String>()
        let listener = try ChildProcess(
            [Peers.apus ?? "", "dht", "listen", "room", "--json"] + network.options,
            output: .lines { line in if line.contains("\"text\"") { events.post(line) } }
        )
        let first = await events.first(within: .seconds(30))
        #expect(first?.contains("before") == true)
        _ = try await network.dht(["put", "room", "after"]).orThrow()
        try await eventually(within: .seconds(30), "the second value is heard") {
            events.all.contains { $0.contains("after") } ? () : nil
        }
        listener.signal(SIGINT)
        #expect(await listener.waitForExit(within: .seconds(20)) == .code(0))
        await network.node.shutdown()
    }

    @Test func `a service says its port, serves until it is told to end, and keeps its state`() async throws {
        let folder = try TemporaryFolder()
        let network = try await PrivateNetwork()
        let state = folder.path + "/state"
        var ids: [JSONValue?] = []
        for _ in 0..<2 {
            let lines = Mailbox<JSONValue>()
            let service = try ChildProcess(
                [Peers.apus ?? "", "dht", "node", "--json", "--save-state", state] + network.options,
                output: .lines { line in
                    if let value = try? JSONDecoder().decode(JSONValue.self, from: Data(line.utf8)) {
                        lines.post(value)
                    }
                }
            )
            let ready = try #require(await lines.first(within: .seconds(30)))
            #expect(ready["event"] == "ready")
            #expect((ready["port"]?.integer ?? 0) > 0)
            ids.append(ready["id"])
            try await eventually(within: .seconds(30), "the service is connected") {
                lines.all.contains { $0["status"] == "connected" } ? () : nil
            }
            service.signal(SIGTERM)
            #expect(await service.waitForExit(within: .seconds(20)) == .code(0))
            let saved = try NodeState(decoding: [UInt8](Data(contentsOf: URL(filePath: state))))
            #expect(saved.contacts.map(\.id) == [await network.node.id])
        }
        #expect(ids[0] == ids[1] && ids[0] != nil)
        withExtendedLifetime(folder) {}
        await network.node.shutdown()
    }

    @Test func `a scan lists every node, and info shows the table`() async throws {
        let network = try await PrivateNetwork()
        var others: [PrivateNetwork] = []
        for _ in 0..<12 { others.append(try await PrivateNetwork(bootstrap: await network.node.boundPort)) }
        for other in others { for await status in await other.node.statusChanges where status == .connected { break } }
        // Each is known to its neighbours when it has looked for itself.
        for other in others { _ = try await other.node.closestNodes(to: await other.node.id) }
        var ids: Set<String> = [await network.node.id.hex]
        for other in others { ids.insert(await other.node.id.hex) }
        let scanned = try objects(try await network.dht(["scan", "--json"]).orThrow())
        #expect(Set(scanned.compactMap { $0["id"]?.string }) == ids)
        #expect(scanned.last?["complete"] == true)
        #expect(scanned.last?["answered_ipv4"]?.integer == 13)

        let info = try objects(try await network.dht(["info", "--json"]).orThrow())
        #expect(info.count == 1)
        #expect((info.first?["ipv4"]?["good"]?.integer ?? 0) >= 8)
        #expect(info.first?["buckets"]?.array?.isEmpty == false)
        let text = try await network.dht(["info", "--once"]).orThrow()
        #expect(text.output.contains("this node") && !text.output.contains("\u{1B}"))
        for other in others { await other.node.shutdown() }
        await network.node.shutdown()
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "no program “script”"))
    func `on a terminal there is a prompt that edits and remembers`() async throws {
        let folder = try TemporaryFolder()
        let network = try await PrivateNetwork()
        let shown = Mailbox<String>()
        let arguments = [Peers.apus ?? "", "dht", "node", "--data", folder.path] + network.options
        let terminal = try ChildProcess(
            ["/usr/bin/script", "-qec", arguments.joined(separator: " "), "/dev/null"],
            hasInput: true,
            output: .lines { shown.post($0) }
        )
        func waitFor(_ text: String, count: Int = 1) async throws {
            try await eventually(within: .seconds(30), "the terminal shows “\(text)”") {
                shown.all.count { $0.contains(text) } >= count ? () : nil
            }
        }
        try await waitFor("Connected.")
        // Ctrl-A and Ctrl-K: what was typed before is cut.
        terminal.send("nonsense\u{1}\u{B}p room hello wrold\u{17}world")
        try await waitFor("Stored at room (")
        terminal.send("g ro\u{9}")
        try await waitFor("  hello world")
        // The arrow up twice, from an empty line.
        terminal.send("\u{1B}[A\u{1B}[A")
        try await waitFor("Stored at room (", count: 2)
        terminal.send("x")
        #expect(await terminal.waitForExit(within: .seconds(30)) == .code(0))
        let history = try String(contentsOfFile: folder.path + "/dht-history", encoding: .utf8)
        #expect(history == "p room hello world\ng room\np room hello world\nx\n")
        withExtendedLifetime(folder) {}
        await network.node.shutdown()
    }

    @Test func `a key signs and encrypts, and is not made twice`() async throws {
        let folder = try TemporaryFolder()
        let network = try await PrivateNetwork()
        let file = folder.path + "/id"
        let (identity, authority) = try NodeIdentity.make(bits: 2048)
        try NodeIdentity.save(identity, authority: authority, to: file)
        let me = identity.key.publicKey.shortID.hex
        for name in ["id.pem", "id.crt", "id_ca.pem", "id_ca.crt"] {
            #expect(FileManager.default.fileExists(atPath: "\(folder.path)/\(name)"))
        }
        _ = try await network.dht(["put", "signed", "by me", "--sign", "--identity", file]).orThrow()
        let signed = try objects(try await network.dht(["get", "signed", "--json"]).orThrow())
        #expect(signed.map { $0["signed_by"] } == [.string(me)])

        // Somebody publishes the certificate for which others encrypt.
        let owner = try ChildProcess(
            [Peers.apus ?? "", "dht", "node", "--identity", file + ".pem"] + network.options
        )
        _ = try await network.dht(["put", "secret", "for me", "--identity", file, "--encrypt-for", me]).orThrow()
        let opened = try objects(try await network.dht(["get", "secret", "--json", "--identity", file]).orThrow())
        #expect(opened.map { $0["text"] } == ["for me"] && opened.first?["encrypted"] == true)
        let closed = try await network.dht(["get", "secret"])
        #expect(closed.exit == .code(2))
        await owner.stop()
        withExtendedLifetime(folder) {}
        await network.node.shutdown()
    }
}
