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

    @Test func `several waiters share one attempt`() async throws {
        let (alice, bob, network) = await pair()
        let device = bob.identity.chain
        let channels = try await withThrowingTaskGroup(of: PeerChannel.self) { group in
            for number in 0..<5 { group.addTask { try await alice.manager.open("n\(number)", to: device) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(channels.map(\.connection.id)).count == 1)
        #expect(Set(channels.map(\.number)).count == 5)
        #expect(network.sent.count { !$0.isAnswer } == 1)
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `two devices that connect to each other both get their channel`() async throws {
        let (alice, bob, _) = await pair()
        async let there = alice.manager.open("a", to: bob.identity.chain)
        async let back = bob.manager.open("b", to: alice.identity.chain)
        let names = try await [there.name, back.name]
        #expect(names == ["a", "b"])
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `a closed connection is replaced by the next channel`() async throws {
        let (alice, bob, network) = await pair()
        var events = await bob.manager.events().makeAsyncIterator()
        let first = try await alice.manager.open("one", to: bob.identity.chain)
        await first.connection.close()
        guard case .connected = await events.next(), case .disconnected = await events.next() else {
            Issue.record("The peer has not noticed the end")
            return
        }
        #expect(await bob.manager.connections().isEmpty)
        let second = try await alice.manager.open("two", to: bob.identity.chain)
        #expect(second.connection !== first.connection)
        #expect(network.sent.count { !$0.isAnswer } == 2)
        await #expect(throws: PeerLinkError.closed) { try await first.write([1]) }
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `closing a channel ends the reading of the other side, after what was sent`() async throws {
        let (alice, bob, _) = await pair()
        let channel = try await alice.manager.open("one", to: bob.identity.chain)
        var opened = bob.opened.makeAsyncIterator()
        let there = try #require(await opened.next())
        try await channel.write([1, 2, 3])
        await channel.close()
        #expect(await read(.max, from: there) == [1, 2, 3])
        await #expect(throws: PeerLinkError.closed) { try await there.write([1]) }
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `a channel that nobody holds is closed`() async throws {
        let (alice, bob, _) = await pair()
        _ = try await alice.manager.open("one", to: bob.identity.chain)
        var opened = bob.opened.makeAsyncIterator()
        let there = try #require(await opened.next())
        #expect(await read(.max, from: there).isEmpty)
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `a writer waits for a reader that comes late`() async throws {
        let (alice, bob, _) = await pair()
        let channel = try await alice.manager.open("big", to: bob.identity.chain)
        let beside = try await alice.manager.open("echo", to: bob.identity.chain)
        var opened = bob.opened.makeAsyncIterator()
        let there = try #require(await opened.next())
        let total = 24 << 20
        let writer = Task {
            let piece = [UInt8](repeating: 7, count: 1 << 20)
            for _ in 0..<(total >> 20) { try await channel.write(piece) }
            await channel.close()
        }
        var count = 0
        for await piece in there.inbound { count += piece.count }
        try await writer.value
        #expect(count == total)
        try await beside.write([9])
        #expect(await read(1, from: beside) == [9])
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `no answer in time is an error for every waiter`() async throws {
        let network = LocalNetwork()
        var configuration = ConnectionManager.Configuration(allowsLoopback: true)
        configuration.answerTimeout = .milliseconds(50)
        let alice = TestPeer(TestIdentities.alice, on: network, configuration: configuration)
        await alice.manager.start()
        network.loseEverything()
        async let first: Void = expectNoAnswer(alice)
        async let second: Void = expectNoAnswer(alice)
        _ = await (first, second)
        await alice.manager.shutdown()
    }

    private func expectNoAnswer(_ peer: TestPeer) async {
        await #expect(throws: PeerLinkError.noAnswer) {
            try await peer.manager.open("x", to: TestIdentities.bob.chain)
        }
    }

    @Test func `a stranger gets no answer`() async throws {
        let network = LocalNetwork()
        var configuration = ConnectionManager.Configuration(allowsLoopback: true)
        configuration.answerTimeout = .milliseconds(200)
        let alice = TestPeer(TestIdentities.alice, on: network, configuration: configuration)
        let bob = TestPeer(TestIdentities.bob, on: network, isOpenToAll: false)
        await alice.manager.start()
        await bob.manager.start()
        await expectNoAnswer(alice)
        #expect(network.sent.count == 1)
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `somebody else at the other end is noticed`() async throws {
        let network = LocalNetwork()
        let alice = TestPeer(TestIdentities.alice, on: network)
        // Speaks for Bob in signalling, and has only Carol's key for TLS.
        let mallory = TestPeer(TestIdentities.carol, on: network, signallingAs: TestIdentities.bob)
        await alice.manager.start()
        await mallory.manager.start()
        await #expect(throws: PeerLinkError.insecure) {
            try await alice.manager.open("x", to: TestIdentities.bob.chain)
        }
        #expect(await alice.manager.connections().isEmpty)
        await alice.manager.shutdown()
        await mallory.manager.shutdown()
    }

    @Test func `a peer whose chain does not hold together is not asked`() async throws {
        let (alice, bob, network) = await pair()
        let (good, other) = (bob.identity.chain.certificates, alice.identity.chain.certificates)
        let mixed = CertificateChain([good[0], other[1], other[2]])
        await #expect(throws: PeerLinkError.invalidDevice) { try await alice.manager.open("x", to: mixed) }
        await #expect(throws: PeerLinkError.ownDevice) {
            try await alice.manager.open("x", to: alice.identity.chain)
        }
        #expect(network.sent.isEmpty)
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `a cancelled waiter is answered at once`() async throws {
        let network = LocalNetwork()
        let alice = TestPeer(TestIdentities.alice, on: network)
        await alice.manager.start()
        network.loseEverything()
        let waiting = Task { try await alice.manager.open("x", to: TestIdentities.bob.chain) }
        waiting.cancel()
        await #expect(throws: PeerLinkError.cancelled) { try await waiting.value }
        await alice.manager.shutdown()
    }

    @Test func `shutdown answers everybody who waits`() async throws {
        let network = LocalNetwork()
        let alice = TestPeer(TestIdentities.alice, on: network)
        await alice.manager.start()
        network.loseEverything()
        let waiting = Task { try await alice.manager.open("x", to: TestIdentities.bob.chain) }
        while network.sent.isEmpty { await Task.yield() }
        await alice.manager.shutdown()
        await #expect(throws: PeerLinkError.shutDown) { try await waiting.value }
        await #expect(throws: PeerLinkError.shutDown) {
            try await alice.manager.open("x", to: TestIdentities.bob.chain)
        }
    }

    @Test func `names beyond a kilobyte are refused here`() async throws {
        let (alice, bob, _) = await pair()
        await #expect(throws: PeerLinkError.nameTooLong) {
            try await alice.manager.open(String(repeating: "x", count: 1_025), to: bob.identity.chain)
        }
        await alice.manager.shutdown()
        await bob.manager.shutdown()
    }

    @Test func `starting and stopping again and again leaves nothing behind`() async throws {
        for round in 0..<20 {
            let (alice, bob, _) = await pair()
            if round % 2 == 0 { _ = try await alice.manager.open("x", to: bob.identity.chain) }
            async let first: Void = alice.manager.shutdown()
            async let second: Void = bob.manager.shutdown()
            _ = await (first, second)
        }
    }

    @Test func `a closed connection and its channels are let go`() async throws {
        weak var connection: PeerConnection?
        weak var channel: PeerChannel?
        weak var manager: ConnectionManager?
        func use() async throws {
            let (alice, bob, _) = await pair()
            manager = alice.manager
            let opened = try await alice.manager.open("x", to: bob.identity.chain)
            (connection, channel) = (opened.connection, opened)
            try await opened.write([1])
            await alice.manager.shutdown()
            await bob.manager.shutdown()
        }
        try await use()
        // What is left runs on other threads; the suite's time limit bounds this.
        while connection != nil || channel != nil || manager != nil { await Task.yield() }
    }
}
