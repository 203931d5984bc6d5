import Keys
import Logging
import NIOPosix
import Runtime
import Testing

@testable import DHT

@Suite(.timeLimit(.minutes(1))) struct DHTNodeTests {
    private func node(
        bootstrap port: Int? = nil,
        state: NodeState? = nil,
        identity: (key: RSAPrivateKey, chain: CertificateChain)? = nil
    ) async throws -> DHTNode {
        var configuration = DHTNode.Configuration()
        configuration.bindAddress = "127.0.0.1"
        configuration.bindAddress6 = nil
        configuration.bootstrap = port.map { ["127.0.0.1:\($0)"] } ?? []
        configuration.savedState = state
        configuration.identity = identity
        let node = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test")
        )
        try await node.start()
        if port != nil || state != nil {
            for await status in await node.statusChanges where status == .connected { break }
        }
        return node
    }

    private func identity() throws -> (key: RSAPrivateKey, chain: CertificateChain) {
        var randomness = Randomness.secure
        let key = try RSAPrivateKey.generate(bits: 2048)
        let certificate = try Certificate.issue(
            commonName: "Device",
            for: key.publicKey,
            by: nil,
            signedWith: key,
            isAuthority: true,
            now: SystemTime().wallTime,
            randomness: &randomness
        )
        return (key, CertificateChain([certificate]))
    }

    @Test func `two nodes put, get and listen, in the clear and sealed`() async throws {
        let first = try await node(identity: try identity())
        let second = try await node(bootstrap: await first.boundPort, identity: try identity())
        let key = InfoHash(hashing: "key")
        let listener = await first.listen(at: key)
        let firstKey = try #require(await first.ownKey)
        let secondKey = try #require(await second.ownKey)

        try await second.put(Value(data: [1]), at: key)
        try await second.putSigned(Value(data: [2]), at: key)
        try await second.putEncrypted(Value(data: [UInt8](repeating: 3, count: 10_000)), at: key, for: firstKey)
        var heard: [OpenedValue] = []
        for await event in listener {
            guard case .value(let opened) = event else { continue }
            heard.append(opened)
            if heard.count == 3 { break }
        }
        #expect(Set(heard.map(\.value.data.count)) == [1, 10_000])
        #expect(heard.count { $0.signer == secondKey } == 2)
        #expect(heard.count { $0.wasEncrypted } == 1)

        let found = try await first.get(key)
        #expect(found.count == 3)
        // What is sealed for another stays out.
        #expect(try await second.get(key).count == 2)
        #expect(try await first.findCertificate(longID: secondKey.longID)?.leaf.publicKey == secondKey)
        #expect(try await first.findCertificate(shortID: InfoHash(hashing: "nobody")) == nil)
        await first.shutdown()
        await second.shutdown()
    }

    @Test func `with the end of a node its listeners end, and nothing more is taken`() async throws {
        let lonely = try await node()
        let listener = await lonely.listen(at: InfoHash(hashing: "key"))
        let ending = Task { for await _ in listener {} }
        await lonely.shutdown()
        await ending.value
        await #expect(throws: DHTError(.notRunning, "")) { try await lonely.put(Value(), at: InfoHash(hashing: "key")) }
        await #expect(throws: DHTError(.notRunning, "")) { try await lonely.get(InfoHash(hashing: "key")) }
        await lonely.shutdown()
    }

    @Test func `a node alone says so, and keeps what it put`() async throws {
        let lonely = try await node()
        let key = InfoHash(hashing: "key")
        await #expect(throws: DHTError(.unreachable, "")) { try await lonely.put(Value(data: [1]), at: key) }
        #expect(try await lonely.get(key).map(\.value.data) == [[1]])
        await #expect(throws: DHTError(.noIdentity, "")) { try await lonely.putSigned(Value(), at: key) }
        await #expect(throws: DHTError(.invalidArgument, "")) { try await lonely.get(.zero) }
        await #expect(throws: DHTError(.invalidArgument, "")) {
            try await lonely.put(Value(data: [UInt8](repeating: 0, count: 65_537)), at: key)
        }
        await lonely.shutdown()
    }

    @Test func `a node that cannot be reached does not keep others from being reached`() async throws {
        let first = try await node()
        var configuration = DHTNode.Configuration()
        configuration.bindAddress = "127.0.0.1"
        configuration.bindAddress6 = nil
        // A socket at a loopback address cannot send to the world.
        configuration.bootstrap = ["192.0.2.1:4222", "127.0.0.1:\(await first.boundPort)", "198.51.100.1:4222"]
        let second = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test")
        )
        try await second.start()
        for await status in await second.statusChanges where status == .connected { break }
        try await second.put(Value(data: [1]), at: InfoHash(hashing: "key"))
        await first.shutdown()
        await second.shutdown()
    }

    @Test func `an address in use is an error`() async throws {
        let first = try await node()
        var configuration = DHTNode.Configuration()
        configuration.bindAddress = "127.0.0.1"
        configuration.bindAddress6 = nil
        configuration.port = await first.boundPort
        let second = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test")
        )
        await #expect(throws: DHTError(.bind, "")) { try await second.start() }
        await first.shutdown()
    }

    /// A node at loopback addresses.
    private func node(at hosts: (four: String?, six: String?), bootstrap: [String] = []) async throws -> DHTNode {
        var configuration = DHTNode.Configuration()
        configuration.bindAddress = hosts.four
        configuration.bindAddress6 = hosts.six
        configuration.bootstrap = bootstrap
        let node = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test")
        )
        try await node.start()
        return node
    }

    @Test func `nodes of one family find each other's values through one that has both`() async throws {
        let both = try await node(at: ("127.0.0.1", "::1"))
        let ports = (four: await both.boundPort(of: .ipv4), six: await both.boundPort(of: .ipv6))
        #expect(ports.four != 0 && ports.six != 0)
        let four = try await node(at: ("127.0.0.1", nil), bootstrap: ["127.0.0.1:\(ports.four)"])
        let six = try await node(at: (nil, "::1"), bootstrap: ["[::1]:\(ports.six)"])
        #expect(await six.boundPort == six.boundPort(of: .ipv6))
        for node in [four, six] {
            for await status in await node.statusChanges where status == .connected { break }
        }
        let key = InfoHash(hashing: "key")
        let listener = await six.listen(at: key)
        try await four.put(Value(data: [4]), at: key)
        try await six.put(Value(data: [UInt8](repeating: 6, count: 5000)), at: key)
        var heard = 0
        for await event in listener {
            if case .value = event { heard += 1 }
            if heard == 2 { break }
        }
        #expect(Set(try await four.get(key).map(\.value.data.count)) == [1, 5000])
        #expect(Set(try await six.get(key).map(\.value.data.count)) == [1, 5000])
        #expect(await six.publicAddress == "0:0:0:0:0:0:0:1")
        let statistics = await both.statistics
        #expect(statistics.ipv4.good == 1 && statistics.ipv6.good == 1)
        #expect(Set(await both.savedState.contacts.map(\.id)) == [await four.id, await six.id])
        for node in [both, four, six] { await node.shutdown() }
    }

    @Test func `what IPv6 cannot bind leaves IPv4, and the other way round`() async throws {
        // Addresses for documentation are nobody's.
        let four = try await node(at: ("127.0.0.1", "2001:db8::1"))
        #expect(await four.boundPort(of: .ipv6) == 0)
        let six = try await node(at: ("192.0.2.1", "::1"))
        #expect(await six.boundPort(of: .ipv4) == 0)
        #expect(await six.boundPort != 0)
        await #expect(throws: DHTError(.bind, "")) { try await node(at: ("192.0.2.1", "2001:db8::1")) }
        await #expect(throws: DHTError(.bind, "")) { try await node(at: (nil, nil)) }
        await four.shutdown()
        await six.shutdown()
    }

    @Test func `both families have the same port where it is free`() async throws {
        // Somebody else may take the port between the two binds, so not every time.
        var same = 0
        for _ in 0..<5 {
            let node = try await node(at: ("127.0.0.1", "::1"))
            if await node.boundPort(of: .ipv4) == node.boundPort(of: .ipv6) { same += 1 }
            await node.shutdown()
        }
        #expect(same > 0)
    }

    @Test func `a ping tells who is there, over either family, or that nobody is`() async throws {
        let asked = try await node(at: ("127.0.0.1", "::1"))
        let asking = try await node(at: ("127.0.0.1", "::1"))
        let ports = (four: await asked.boundPort(of: .ipv4), six: await asked.boundPort(of: .ipv6))
        for address in ["127.0.0.1:\(ports.four)", "[::1]:\(ports.six)"] {
            let answer = try await asking.ping(address)
            #expect(await answer.id == asked.id)
            #expect(answer.roundTrip < .seconds(10))
        }
        #expect(await asking.statistics.ipv6.good == 1)
        await #expect(throws: DHTError(.invalidArgument, "")) { try await asking.ping("") }
        await asked.shutdown()
        await #expect(throws: DHTError(.notRunning, "")) { try await asked.ping("127.0.0.1:\(ports.four)") }
        // A ping that is under way at the end is answered too.
        let waiting = Task { try await asking.ping("127.0.0.1:\(ports.four)") }
        await asking.shutdown()
        await #expect(throws: DHTError.self) { try await waiting.value }
    }

    @Test func `the nodes around a place are found, and what was done is counted`() async throws {
        let first = try await node()
        var others: [DHTNode] = []
        for _ in 0..<5 { others.append(try await node(bootstrap: await first.boundPort)) }
        for other in others { for await status in await other.statusChanges where status == .connected { break } }
        let place = InfoHash(hashing: "place")
        let found = try await others[0].closestNodes(to: place)
        let ids = found.map(\.id)
        #expect(ids == ids.sorted { $0.isCloser(to: place, than: $1) })
        #expect(ids.contains(await first.id))
        let own = await others[0].id
        #expect(!ids.contains(own))
        let traffic = await others[0].traffic
        #expect(traffic.requested > 0 && traffic.received >= traffic.served)
        for node in others + [first] { await node.shutdown() }
    }

    @Test func `a get whose task is cancelled returns`() async throws {
        var configuration = DHTNode.Configuration()
        configuration.bindAddress = "127.0.0.1"
        configuration.bindAddress6 = nil
        // Nobody answers at this port, so that the get has to wait.
        configuration.bootstrap = ["127.0.0.1:9"]
        let node = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test")
        )
        try await node.start()
        let asking = Task { try await node.get(InfoHash(hashing: "key")) }
        asking.cancel()
        #expect(try await asking.value.isEmpty)
        await node.shutdown()
    }

    @Test func `a node finds the nodes of its last run`() async throws {
        let first = try await node()
        let second = try await node(bootstrap: await first.boundPort)
        let state = await second.savedState
        #expect(state.contacts.count == 1)
        await second.shutdown()
        let again = try await node(state: state)
        #expect(await again.status == .connected)
        #expect(await again.id == state.id)
        await again.shutdown()
        await first.shutdown()
    }

    @Test(arguments: [
        ("example.org", "example.org", 4222), ("example.org:80", "example.org", 80), ("1.2.3.4:5", "1.2.3.4", 5),
        ("[::1]:6", "::1", 6), ("[::1]", "::1", 4222), ("::1", "::1", 4222), (" a : 7 ", "a", 7),
    ]) func `addresses are read as users write them`(text: String, host: String, port: Int) throws {
        let address = try #require(HostAddress(text))
        #expect(address.host == host && address.port == port)
    }

    @Test(arguments: ["", ":80", "a:", "a:0", "a:65536", "a:b", "[::1", "[]:1", "[::1]x"])
    func `what is no address is refused`(text: String) {
        #expect(HostAddress(text) == nil)
    }
}
