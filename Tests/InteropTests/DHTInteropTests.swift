import DHT
import Foundation
import Keys
import Logging
import NIOPosix
import Runtime
import TestSupport
import Testing

/// Nodes of ours for tests.
enum DHTTestNode {
    /// A node that is connected through a port on this machine.
    static func start(
        bootstrap: Int?,
        port: Int = 0,
        identity: (key: RSAPrivateKey, chain: CertificateChain)? = nil,
        savedState: NodeState? = nil
    ) async throws -> DHTNode {
        var configuration = DHTNode.Configuration()
        configuration.bindAddress = "127.0.0.1"
        configuration.bindAddress6 = nil
        configuration.port = port
        configuration.bootstrap = bootstrap.map { ["127.0.0.1:\($0)"] } ?? []
        configuration.identity = identity
        configuration.savedState = savedState
        let node = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test")
        )
        try await node.start()
        if bootstrap != nil { await isConnected(node) }
        return node
    }

    static func isConnected(_ node: DHTNode) async {
        for await status in await node.statusChanges where status == .connected { break }
    }

    /// A key and its certificate, issued by an authority of its own.
    static func identity() throws -> (key: RSAPrivateKey, chain: CertificateChain) {
        let now = SystemTime().wallTime
        var randomness = Randomness.secure
        let authority = try RSAPrivateKey.generate(bits: 2048)
        let root = try Certificate.issue(
            commonName: "Authority",
            for: authority.publicKey,
            by: nil,
            signedWith: authority,
            isAuthority: true,
            now: now,
            randomness: &randomness
        )
        let key = try RSAPrivateKey.generate(bits: 2048)
        let leaf = try Certificate.issue(
            commonName: "Device",
            for: key.publicKey,
            by: root,
            signedWith: authority,
            isAuthority: false,
            now: now,
            randomness: &randomness
        )
        return (key, CertificateChain([leaf, root]))
    }
}

@Suite(.enabled(if: DHTNodeProgram.path != nil, "dhtnode is not installed"), .timeLimit(.minutes(3)))
struct DHTInteropTests {
    private func text(_ opened: OpenedValue) -> String {
        String(decoding: opened.value.data, as: UTF8.self)
    }

    @Test func `a plain value goes both ways`() async throws {
        let peer = try await DHTNodeProgram.start()
        defer { peer.program.stop() }
        let node = try await DHTTestNode.start(bootstrap: peer.port)

        let value = Value(data: Array("from-us".utf8), userType: "text/plain")
        try await node.put(value, at: InfoHash(hashing: "ours"))
        try peer.program.send("g ours")
        _ = try await peer.program.line { $0.contains("from-us") }

        try peer.program.send("p theirs hello")
        _ = try await peer.program.line { $0.contains("Put: success") }
        let found = try await node.get(InfoHash(hashing: "theirs"))
        #expect(found.map(text) == ["hello"])
        await node.shutdown()
    }

    @Test func `a listener of ours hears what they put`() async throws {
        let peer = try await DHTNodeProgram.start()
        defer { peer.program.stop() }
        let node = try await DHTTestNode.start(bootstrap: peer.port)
        let listener = await node.listen(at: InfoHash(hashing: "room"))
        try peer.program.send("p room first")
        var heard: [String] = []
        for await event in listener {
            guard case .value(let opened) = event else { continue }
            heard.append(text(opened))
            guard heard.count == 1 else { break }
            try peer.program.send("p room second")
        }
        #expect(heard == ["first", "second"])
        await node.shutdown()
    }

    @Test func `their listener hears what we put`() async throws {
        let peer = try await DHTNodeProgram.start()
        defer { peer.program.stop() }
        let node = try await DHTTestNode.start(bootstrap: peer.port)
        try peer.program.send("l room")
        _ = try await peer.program.line { $0.contains("Listening") }
        try await node.put(Value(data: Array("pushed".utf8), userType: "text/plain"), at: InfoHash(hashing: "room"))
        _ = try await peer.program.line { $0.contains("pushed") }
        await node.shutdown()
    }

    @Test func `signed values go both ways`() async throws {
        let peer = try await DHTNodeProgram.start(hasIdentity: true)
        defer { peer.program.stop() }
        let identity = try DHTTestNode.identity()
        let node = try await DHTTestNode.start(bootstrap: peer.port, identity: identity)

        try peer.program.send("s theirs signed-by-them")
        _ = try await peer.program.line { $0.contains("success") }
        let found = try await node.get(InfoHash(hashing: "theirs"))
        #expect(found.map(text) == ["signed-by-them"])
        #expect(found.first?.signer?.shortID.hex == peer.keyID)

        let value = Value(data: Array("signed-by-us".utf8), userType: "text/plain")
        let id = try await node.putSigned(value, at: InfoHash(hashing: "ours"))
        try peer.program.send("g ours")
        let line = try await peer.program.line { $0.contains("signed-by-us") }
        #expect(line.contains("signed (v0)"))

        // A second edition replaces the first one.
        let edition = Value(id: id, data: Array("edited-by-us".utf8), userType: "text/plain")
        try await node.putSigned(edition, at: InfoHash(hashing: "ours"))
        try peer.program.send("g ours")
        _ = try await peer.program.line { $0.contains("edited-by-us") }
        await node.shutdown()
    }

    @Test func `encrypted values go both ways, and certificates are found`() async throws {
        let peer = try await DHTNodeProgram.start(hasIdentity: true)
        defer { peer.program.stop() }
        let identity = try DHTTestNode.identity()
        let node = try await DHTTestNode.start(bootstrap: peer.port, identity: identity)
        let theirID = try #require(peer.keyID.flatMap { InfoHash(hex: $0) })

        // They publish their certificate once they are connected to us.
        for await _ in await node.listen(at: theirID, filters: [.type(ValueType.certificate.number)]) { break }
        let chain = try #require(try await node.findCertificate(shortID: theirID))
        #expect(chain.shortDeviceID == theirID)
        let again = try await node.findCertificate(longID: chain.deviceID)
        #expect(again == chain)

        let key = InfoHash(hashing: "sealed")
        try await node.putEncrypted(
            Value(data: Array("for-you-only".utf8), userType: "text/plain"),
            at: key,
            for: chain.leaf.publicKey
        )
        try peer.program.send("g sealed")
        _ = try await peer.program.line { $0.contains("for-you-only") }

        let listener = await node.listen(at: InfoHash(hashing: "inbox"))
        try peer.program.send("e inbox \(identity.key.publicKey.shortID.hex) for-us-only")
        for await event in listener {
            guard case .value(let opened) = event else { continue }
            #expect(text(opened) == "for-us-only")
            #expect(opened.wasEncrypted)
            #expect(opened.signer?.shortID == theirID)
            break
        }
        await node.shutdown()
    }

    @Test func `what they put is stored on us and served to others`() async throws {
        let peer = try await DHTNodeProgram.start()
        let node = try await DHTTestNode.start(bootstrap: peer.port)
        try peer.program.send("p kept by-us")
        _ = try await peer.program.line { $0.contains("Put: success") }
        peer.program.stop()
        let stored = await node.statistics.storedValues
        #expect(stored == 1)

        let other = try await DHTNodeProgram.start(bootstrap: await node.boundPort)
        defer { other.program.stop() }
        try other.program.send("g kept")
        _ = try await other.program.line { $0.contains("by-us") }
        await node.shutdown()
    }

    @Test func `a larger network keeps what is put into it`() async throws {
        let first = try await DHTNodeProgram.start()
        defer { first.program.stop() }
        var others: [DHTNodeProgram] = []
        for _ in 0..<9 { others.append(try await DHTNodeProgram.start(bootstrap: first.port)) }
        defer { for other in others { other.program.stop() } }
        let writer = try await DHTTestNode.start(bootstrap: first.port)
        let reader = try await DHTTestNode.start(bootstrap: others[4].port)
        let key = InfoHash(hashing: "far")
        let value = Value(data: Array("through-the-net".utf8), userType: "text/plain")
        try await writer.put(value, at: key)
        await writer.shutdown()
        #expect(try await reader.get(key).map(text) == ["through-the-net"])
        try others[8].program.send("g far")
        _ = try await others[8].program.line { $0.contains("through-the-net") }
        await reader.shutdown()
    }

    private static let isSlowAllowed = ProcessInfo.processInfo.environment["APUS_SLOW_TESTS"] != nil

    @Test(.enabled(if: isSlowAllowed, "it takes more than half a minute; APUS_SLOW_TESTS allows it"))
    func `a listener goes on after the only other node was started again`() async throws {
        let peer = try await DHTNodeProgram.start()
        let node = try await DHTTestNode.start(bootstrap: peer.port)
        let listener = await node.listen(at: InfoHash(hashing: "room"))
        try peer.program.send("p room first")
        _ = try await peer.program.line { $0.contains("Put: success") }
        peer.program.stop()
        for await status in await node.statusChanges where status != .connected { break }
        let again = try await DHTNodeProgram.start(port: peer.port)
        defer { again.program.stop() }
        await DHTTestNode.isConnected(node)
        try again.program.send("p room second")
        var heard: [String] = []
        for await event in listener {
            if case .value(let opened) = event { heard.append(text(opened)) }
            if heard.last == "second" { break }
        }
        #expect(heard == ["first", "second"])
        await node.shutdown()
    }

    @Test(.enabled(if: isSlowAllowed, "it takes more than a minute; APUS_SLOW_TESTS allows it"))
    func `a permanent value outlives its type's lifetime`() async throws {
        let peer = try await DHTNodeProgram.start()
        defer { peer.program.stop() }
        let node = try await DHTTestNode.start(bootstrap: peer.port)
        let value = Value(type: ValueType.iceCandidates.number, data: Array("still-here".utf8), userType: "text/plain")
        try await node.put(value, at: InfoHash(hashing: "kept"), permanent: true)
        let passing = Value(type: ValueType.iceCandidates.number, data: Array("gone".utf8), userType: "text/plain")
        try await node.put(passing, at: InfoHash(hashing: "kept"))
        try await Task.sleep(for: .seconds(75))
        // The peer keeps such values for a minute.
        try peer.program.send("ld")
        _ = try await peer.program.line { $0.contains("Total 1 storages, 1 values") }
        try peer.program.send("g kept")
        _ = try await peer.program.line { $0.contains("still-here") }
        await node.shutdown()
    }
}

@Suite(.timeLimit(.minutes(3))) struct PythonDHTInteropTests {
    static let interpreters = [PythonDHTPeer.old, PythonDHTPeer.new].compactMap { $0 }

    private func bytes(_ count: Int) -> [UInt8] {
        var randomness = Randomness.seeded(UInt64(count))
        return randomness.bytes(count)
    }

    @Test(.enabled(if: !interpreters.isEmpty, "no Python has the module opendht"), arguments: interpreters)
    func `values of many sizes go both ways`(interpreter: String) async throws {
        let peer = try await PythonDHTPeer.start(interpreter)
        defer { peer.program.stop() }
        let node = try await DHTTestNode.start(bootstrap: peer.port)
        for count in [1, 500, 700, 1280, 20_000, 60_000] {
            let theirs = InfoHash(hashing: "theirs \(count)")
            try await peer.put(bytes(count), at: theirs)
            #expect(try await node.get(theirs).map(\.value.data) == [bytes(count)])
            let ours = InfoHash(hashing: "ours \(count)")
            try await node.put(Value(data: bytes(count + 1)), at: ours)
            try peer.tell("get", key: ours)
            let found = try await peer.event("value")
            #expect(found["data"].text == Hexadecimal.encode(bytes(count + 1)))
        }
        await node.shutdown()
    }

    @Test(.enabled(if: !interpreters.isEmpty, "no Python has the module opendht"), arguments: interpreters)
    func `large values are pushed both ways`(interpreter: String) async throws {
        let peer = try await PythonDHTPeer.start(interpreter)
        defer { peer.program.stop() }
        let node = try await DHTTestNode.start(bootstrap: peer.port)
        let key = InfoHash(hashing: "large room")
        try peer.tell("listen", key: key)
        _ = try await peer.event("listening")
        try await node.put(Value(data: bytes(20_000)), at: key)
        #expect(try await peer.event("heard")["data"].text == Hexadecimal.encode(bytes(20_000)))

        let listener = await node.listen(at: key)
        var heard: Set<[UInt8]> = []
        for await event in listener {
            guard case .value(let opened) = event else { continue }
            let isNew = heard.insert(opened.value.data).inserted
            #expect(isNew)
            guard heard.count == 1 else { break }
            try await peer.put(bytes(30_000), at: key)
        }
        #expect(heard == [bytes(20_000), bytes(30_000)])
        await node.shutdown()
    }

    @Test(.enabled(if: PythonDHTPeer.new != nil, "the Python package opendht 4 is not installed"))
    func `signed and encrypted values go both ways with version 4`() async throws {
        let interpreter = try #require(PythonDHTPeer.new)
        let peer = try await PythonDHTPeer.start(interpreter)
        defer { peer.program.stop() }
        let identity = try DHTTestNode.identity()
        let node = try await DHTTestNode.start(bootstrap: peer.port, identity: identity)

        let signed = InfoHash(hashing: "signed")
        try await peer.put([1, 2, 3], at: signed, as: "put_signed")
        let found = try await node.get(signed)
        #expect(found.map(\.value.data) == [[1, 2, 3]])
        let theirKey = try #require(found.first?.signer)
        #expect(theirKey.shortID == peer.keyID)

        let chain = try #require(try await node.findCertificate(longID: theirKey.longID))
        let sealed = InfoHash(hashing: "sealed")
        try await node.putEncrypted(Value(data: [4, 5, 6]), at: sealed, for: chain.leaf.publicKey)
        try peer.tell("get", key: sealed)
        let opened = try await peer.event("value")
        #expect(opened["data"].text == "040506")
        #expect(opened["owner"].text == identity.key.publicKey.shortID.hex)

        let mine = InfoHash(hashing: "mine")
        try await node.putSigned(Value(data: [7]), at: mine)
        try peer.tell("get", key: mine)
        #expect(try await peer.event("value")["owner"].text == identity.key.publicKey.shortID.hex)
        await node.shutdown()
    }
}
