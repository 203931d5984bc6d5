import DHT
import Keys
import Logging
import NIOPosix
import TestSupport
import Testing

@Suite(.enabled(if: DHTNodeProgram.path != nil, "dhtnode is not installed"), .timeLimit(.minutes(3)))
struct DHTIPv6InteropTests {
    @Test func `values go both ways over IPv6 alone`() async throws {
        let peer = try await DHTNodeProgram.start()
        defer { peer.program.stop() }
        var configuration = DHTNode.Configuration()
        configuration.bindAddress = nil
        configuration.bindAddress6 = "::1"
        configuration.bootstrap = ["[::1]:\(peer.port)"]
        let node = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test")
        )
        try await node.start()
        await DHTTestNode.isConnected(node)
        #expect(await node.statistics.ipv6.good == 1)

        let listener = await node.listen(at: InfoHash(hashing: "theirs"))
        try await node.put(Value(data: Array("from-us".utf8), userType: "text/plain"), at: InfoHash(hashing: "ours"))
        try peer.program.send("g ours")
        _ = try await peer.program.line { $0.contains("from-us") }
        try peer.program.send("p theirs hello")
        for await event in listener {
            if case .value(let opened) = event, opened.value.data == Array("hello".utf8) { break }
        }
        let found = try await node.get(InfoHash(hashing: "theirs"))
        #expect(found.map(\.value.data) == [Array("hello".utf8)])
        await node.shutdown()
    }
}
