import Identity
import Keys
import PeerLink
import Runtime
import Testing

@Suite(.timeLimit(.minutes(1))) struct ConnectionManagerTests {
    private func pair() async -> (alice: TestPeer, bob: TestPeer, network: LocalNetwork) {
        let network = LocalNetwork()
        let (alice, bob) = (TestPeer(TestIdentities.alice, on: network), TestPeer(TestIdentities.bob, on: network))
        await alice.manager.start()
        await bob.manager.start()
        return (alice, bob, network)
    }

    private func read(_ count: Int, from channel: PeerChannel) async -> [UInt8] {
        var bytes: [UInt8] = []
        for await piece in channel.inbound {
            bytes += piece
            if bytes.count >= count { break }
        }
        return bytes
    }

    @Test func `channels open both ways over one connection`() async throws {
        let (alice, bob, network) = await pair()
        let start = SystemTime().now
        let out = try await alice.manager.open("sip", to: bob.identity.chain)
        print("open channel after \((SystemTime().now - start).wholeMilliseconds) ms")
        var incoming = bob.opened.makeAsyncIterator()
        let there = try #require(await incoming.next())
        #expect(there.name == "sip")
        #expect(there.isIncoming)
        #expect(there.connection.deviceID == alice.identity.deviceID)
        #expect(there.connection.accountID == alice.identity.accountID)
        try await out.write(Array("hello".utf8))
        #expect(await read(5, from: there) == Array("hello".utf8))
        try await there.write(Array("hi".utf8))
        #expect(await read(2, from: out) == Array("hi".utf8))

        let back = try await bob.manager.open("msg:x", to: alice.identity.chain)
        #expect(back.connection === there.connection)
        #expect(back.number == 1)
        #expect(out.number == 0x8000)
        #expect(network.sent.count == 2)
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `a megabyte comes back unchanged`() async throws {
        let (alice, bob, _) = await pair()
        let channel = try await alice.manager.open("echo", to: bob.identity.chain)
        var randomness = Randomness.seeded(1)
        let bytes = randomness.bytes(1 << 20)
        async let written: Void = channel.write(bytes)
        let echoed = await read(bytes.count, from: channel)
        try await written
        #expect(echoed == bytes)
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `a declined name is an error and the connection stays`() async throws {
        let (alice, bob, _) = await pair()
        await #expect(throws: PeerLinkError.declined) {
            try await alice.manager.open("nothing", to: bob.identity.chain)
        }
        #expect(await alice.manager.connections().count == 1)
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }
}
