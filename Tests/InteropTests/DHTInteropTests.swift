import DHT
import Foundation
import Keys
import Logging
import NIOPosix
import Runtime
import Testing

@Suite(.enabled(if: DHTNodeProgram.path != nil, "dhtnode is not installed"), .timeLimit(.minutes(2)))
struct DHTInteropTests {
    /// A node of ours that is connected through a port on this machine.
    static func node(bootstrap port: Int, identity: (RSAPrivateKey, CertificateChain)? = nil) async throws -> DHTNode {
        var configuration = DHTNode.Configuration()
        configuration.bindAddress = "127.0.0.1"
        configuration.bootstrap = ["127.0.0.1:\(port)"]
        if let identity { configuration.identity = (key: identity.0, chain: identity.1) }
        let node = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test")
        )
        try await node.start()
        for await status in await node.statusChanges where status == .connected { break }
        return node
    }

    @Test func `a plain value goes both ways`() async throws {
        let peer = try await DHTNodeProgram.start()
        defer { peer.program.stop() }
        let node = try await Self.node(bootstrap: peer.port)

        let value = Value(data: Array("from us".utf8), userType: "text/plain")
        try await node.put(value, at: InfoHash(hashing: "ours"))
        try peer.program.send("g ours")
        _ = try await peer.program.line { $0.contains("from us") }

        try peer.program.send("p theirs hello")
        _ = try await peer.program.line { $0.contains("Put: success") }
        let found = try await node.get(InfoHash(hashing: "theirs"))
        #expect(found.map { String(decoding: $0.value.data, as: UTF8.self) } == ["hello"])
        await node.shutdown()
    }

    @Test func `a listener of ours hears what they put`() async throws {
        let peer = try await DHTNodeProgram.start()
        defer { peer.program.stop() }
        let node = try await Self.node(bootstrap: peer.port)
        let listener = await node.listen(at: InfoHash(hashing: "room"))
        try peer.program.send("p room first")
        var heard: [String] = []
        for await event in listener {
            guard case .value(let opened) = event else { continue }
            heard.append(String(decoding: opened.value.data, as: UTF8.self))
            guard heard.count == 1 else { break }
            try peer.program.send("p room second")
        }
        #expect(heard == ["first", "second"])
        await node.shutdown()
    }

    @Test func `their listener hears what we put`() async throws {
        let peer = try await DHTNodeProgram.start()
        defer { peer.program.stop() }
        let node = try await Self.node(bootstrap: peer.port)
        try peer.program.send("l room")
        _ = try await peer.program.line { $0.contains("Listening") }
        try await node.put(Value(data: Array("pushed".utf8), userType: "text/plain"), at: InfoHash(hashing: "room"))
        _ = try await peer.program.line { $0.contains("pushed") }
        await node.shutdown()
    }
}
