import DHT
import Foundation
import Identity
import Keys
import Logging
import NIOPosix
import PeerLink
import Runtime
import Testing

/// Connections with a daemon that is not ours, in a network where both can reach each other directly.
///
/// Runs where `APUS_PEER_BOOTSTRAP` (host:port of a DHT node) and `APUS_PEER_ACCOUNT` (40 hex digits of an account
/// that accepts connections from strangers) are set; skipped elsewhere.
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["APUS_PEER_BOOTSTRAP"] != nil,
        "No real peer: APUS_PEER_BOOTSTRAP is not set"
    ),
    .timeLimit(.minutes(3))
) struct RealPeerTests {
    private func environment(_ name: String) -> String {
        ProcessInfo.processInfo.environment["APUS_PEER_" + name] ?? ""
    }

    private func milliseconds(_ start: Instant) -> Int64 {
        (SystemTime().now - start).wholeMilliseconds
    }

    /// Written at once, since another program reads it.
    private func report(_ text: String) {
        FileHandle.standardOutput.write(Data("PEER \(text)\n".utf8))
    }

    /// Tells the network which device the account has, so that the peer finds it.
    private func announce(
        _ identity: DeviceIdentity,
        account: RSAPrivateKey,
        group: MultiThreadedEventLoopGroup,
        logger: Logger
    ) async throws -> DHTNode {
        var configuration = DHTNode.Configuration()
        configuration.bootstrap = [environment("BOOTSTRAP")]
        configuration.identity = (account, CertificateChain(Array(identity.chain.certificates.dropFirst())))
        let node = DHTNode(configuration: configuration, eventLoopGroup: group, logger: logger)
        try await node.start()
        for await status in await node.statusChanges where status == .connected { break }
        let announcement = DeviceAnnouncement(of: identity.chain.leaf.publicKey)
        try await node.putSigned(Value(data: announcement.payload), at: identity.accountID, permanent: true)
        return node
    }

    @Test func `a channel opens on a connection in each role`() async throws {
        let authority = try RSAPrivateKey.generate(bits: 4096)
        let account = try RSAPrivateKey.generate(bits: 4096)
        let device = try RSAPrivateKey.generate(bits: 4096)
        let identity = try TestIdentities.identity(authority: authority, account: account, device: device)
        report("identity \(identity.accountID) \(identity.deviceID)")

        var logger = Logger(label: "peer")
        logger.logLevel = .debug
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var configuration = DHTNode.Configuration()
        configuration.bootstrap = [environment("BOOTSTRAP")]
        configuration.identity = (device, identity.chain)
        let node = DHTNode(configuration: configuration, eventLoopGroup: group, logger: logger)
        try await node.start()
        for await status in await node.statusChanges where status == .connected { break }
        report("connected to the DHT")

        let (incoming, continuation) = AsyncStream.makeStream(of: PeerChannel.self)
        let manager = ConnectionManager(
            identity: identity,
            signalling: DHTSignalling(node: node, identity: identity, logger: logger),
            eventLoopGroup: group,
            logger: logger,
            authorize: { _ in true },
            accept: { connection, name in
                report("asked for \(name) as \(connection.isInitiator ? "requester" : "answerer")")
                return true
            },
            opened: { continuation.yield($0) }
        )
        await manager.start()

        let peerAccount = try #require(InfoHash(hex: environment("ACCOUNT")))
        let announcements = try await node.get(peerAccount).compactMap { opened in
            opened.signer?.shortID == peerAccount ? try? DeviceAnnouncement(payload: opened.value.data) : nil
        }
        let announced = try #require(announcements.first)
        let found = try await node.findCertificate(shortID: announced.shortDeviceID, longID: announced.deviceID)
        let peer = try #require(found)
        report("chain of \(peer.certificates.count), account \(peer.accountID?.hex ?? "-")")

        for round in 1...3 {
            let start = SystemTime().now
            let channel = try await manager.open("sip", to: peer)
            report("requester round \(round): channel open after \(milliseconds(start)) ms")
            try await channel.write(
                Array("OPTIONS sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n".utf8)
            )
            let again = SystemTime().now
            let second = try await manager.open("sip", to: peer)
            report("second channel after \(milliseconds(again)) ms")
            #expect(second.connection === channel.connection)
            await #expect(throws: PeerLinkError.declined) { try await manager.open("nonsense://x", to: peer) }
            let closing = SystemTime().now
            await channel.connection.close()
            report("closed after \(milliseconds(closing)) ms")
        }

        if environment("PULL") == "1" {
            let channel = try await manager.open("sip", to: peer)
            try await Task.sleep(for: .seconds(6))
            report("pull the cable")
            try await Task.sleep(for: .seconds(1))
            let start = SystemTime().now
            await #expect(throws: PeerLinkError.closed) { try await manager.open("sip", to: peer) }
            report("dead connection noticed after \(milliseconds(start)) ms")
            await #expect(throws: PeerLinkError.closed) { try await channel.write([1]) }
            report("plug the cable")
            let again = SystemTime().now
            var attempts = 0
            while true {
                attempts += 1
                if (try? await manager.open("sip", to: peer)) != nil { break }
            }
            report("channel open \(milliseconds(again)) ms later, in attempt \(attempts)")
        }

        if environment("INCOMING") == "1" {
            let announcer = try await announce(identity, account: account, group: group, logger: logger)
            report("waiting for a connection")
            var iterator = incoming.makeAsyncIterator()
            let channel = try #require(await iterator.next())
            report(
                "incoming channel \(channel.name) from \(channel.connection.deviceID), initiator \(channel.connection.isInitiator)"
            )
            #expect(!channel.connection.isInitiator)
            let pieces = channel.inbound.makeAsyncIterator()
            if let first = await pieces.next() {
                report("received \(String(decoding: first.prefix(60), as: UTF8.self))")
            }
            let start = SystemTime().now
            let back = try await manager.open("sip", to: peer)
            report("answerer: own channel after \(milliseconds(start)) ms on \(back.connection.id)")
            await announcer.shutdown()
        }
        await manager.shutdown()
        await node.shutdown()
    }
}
