import Foundation
import Identity
import Keys
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Runtime
import Testing

@testable import PeerLink

/// The openssl program as the other end of TLS, without ICE in between.
private struct ForeignTLS {
    static let program = "/usr/bin/openssl"
    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    let folder: URL
    let process = Process()
    let output = Pipe()
    private let input = Pipe()

    init(_ arguments: [String], as identity: DeviceIdentity?) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "foreign-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var arguments = arguments
        if let identity {
            let files = [
                ("leaf", identity.chain.leaf.pem),
                ("chain", identity.chain.certificates.dropFirst().map(\.pem).joined()), ("key", identity.key.pem),
            ]
            for (name, text) in files { try Data(text.utf8).write(to: folder.appending(path: name)) }
            let base = folder
            let path = { (name: String) in base.appending(path: name).path }
            arguments += ["-cert", path("leaf"), "-cert_chain", path("chain"), "-key", path("key")]
        }
        process.executableURL = URL(filePath: Self.program)
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    /// The port of a server, from the line `ACCEPT host:port` that it prints at once.
    func announcedPort() -> Int? {
        var text = ""
        while !text.contains("ACCEPT") || text.last != "\n" {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { return nil }
            text += String(decoding: data, as: UTF8.self)
        }
        let line = text.split(separator: "\n").first { $0.hasPrefix("ACCEPT") }
        return line?.split(separator: ":").last.flatMap { Int($0) }
    }

    func end() {
        // The program may have been started with other signals blocked.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }
}

@Suite(
    .enabled(if: ForeignTLS.isInstalled, "No foreign TLS: openssl is not installed"),
    .timeLimit(.minutes(1)),
    .serialized
) struct ForeignTLSTests {
    private let alice = TestIdentities.alice
    private let bob = TestIdentities.bob

    /// Our end of a connection, expecting Bob.
    private func prepare(_ channel: any Channel, isClient: Bool, _ slot: ConnectionBox) throws {
        let connection = PeerConnection(
            id: 1,
            channel: channel,
            chain: bob.chain,
            isInitiator: !isClient,
            handshakeTimeout: .seconds(40),
            hooks: .init(accept: { _, _ in true }, opened: { _ in }, closed: { _ in }),
            time: SystemTime(),
            logger: Logger(label: "test")
        )
        let handler = try LinkSecurity(identity: alice).handler(
            isClient: isClient,
            expecting: bob.chain,
            time: SystemTime()
        )
        try channel.pipeline.syncOperations.addHandlers([
            handler, LinkHandler(connection: connection, security: handler),
        ])
        slot.set(connection)
    }

    private func serve(_ arguments: [String], as identity: DeviceIdentity?) async throws -> Result<Void, PeerLinkError>
    {
        let slot = ConnectionBox()
        let listener = try await ServerBootstrap(group: TestPeer.group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try prepare(channel, isClient: false, slot) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress?.port ?? 0
        let foreign = try ForeignTLS(["s_client", "-connect", "127.0.0.1:\(port)"] + arguments, as: identity)
        defer { foreign.end() }
        let connection = await slot.value()
        let result = await outcome(of: connection)
        await connection.close()
        try await listener.close()
        return result
    }

    private func outcome(of connection: PeerConnection) async -> Result<Void, PeerLinkError> {
        do throws(PeerLinkError) {
            return .success(try await connection.established())
        } catch {
            return .failure(error)
        }
    }

    private static let modern = ["-tls1_3", "-sigalgs", "RSA-PSS+SHA384", "-groups", "P-384"]

    @Test func `a foreign client with the expected certificates is let in`() async throws {
        let result = try await serve(Self.modern, as: bob)
        #expect((try? result.get()) != nil)
    }

    @Test func `a foreign client without a certificate is refused`() async throws {
        let result = try await serve(Self.modern, as: nil)
        #expect(throws: PeerLinkError.insecure) { try result.get() }
    }

    @Test func `a foreign client of another device is refused`() async throws {
        let result = try await serve(Self.modern, as: TestIdentities.carol)
        #expect(throws: PeerLinkError.insecure) { try result.get() }
    }

    @Test func `less than TLS 1_3 is refused`() async throws {
        let result = try await serve(["-tls1_2"], as: bob)
        #expect(throws: PeerLinkError.insecure) { try result.get() }
    }

    @Test(arguments: [true, false]) func `a foreign server is accepted only with the expected certificates`(
        isExpected: Bool
    ) async throws {
        let foreign = try ForeignTLS(
            ["s_server", "-accept", "127.0.0.1:0", "-Verify", "3", "-groups", "P-384"] + Self.modern.prefix(3),
            as: isExpected ? bob : TestIdentities.carol
        )
        defer { foreign.end() }
        let port = try #require(foreign.announcedPort())
        let slot = ConnectionBox()
        _ = try await ClientBootstrap(group: TestPeer.group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try prepare(channel, isClient: true, slot) }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let connection = await slot.value()
        let result = await outcome(of: connection)
        #expect(((try? result.get()) != nil) == isExpected)
        await connection.close()
    }
}

/// Hands a connection from an event loop to a test.
private final class ConnectionBox: Sendable {
    private let (stream, continuation) = AsyncStream.makeStream(of: PeerConnection.self)

    func set(_ connection: PeerConnection) { continuation.yield(connection) }

    func value() async -> PeerConnection {
        for await connection in stream { return connection }
        preconditionFailure("The stream never ends")
    }
}
