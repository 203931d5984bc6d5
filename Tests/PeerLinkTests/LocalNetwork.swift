import Identity
import Keys
import Logging
import NIOCore
import NIOPosix
import PeerLink
import Runtime
import Synchronization

/// Identities of throw-away accounts; keys are made once for all tests.
enum TestIdentities {
    static let alice = make()
    static let bob = make()
    static let carol = make()

    private static func make() -> DeviceIdentity {
        do {
            let (authority, account, device) =
                (
                    try RSAPrivateKey.generate(bits: 2048), try RSAPrivateKey.generate(bits: 2048),
                    try RSAPrivateKey.generate(bits: 2048)
                )
            return try identity(authority: authority, account: account, device: device)
        } catch {
            preconditionFailure("No test identity: \(error)")
        }
    }

    static func identity(
        authority: RSAPrivateKey,
        account: RSAPrivateKey,
        device: RSAPrivateKey
    ) throws -> DeviceIdentity {
        var randomness = Randomness.secure
        let now = SystemTime().wallTime
        let top = try Certificate.issue(
            commonName: "Jami CA",
            for: authority.publicKey,
            by: nil,
            signedWith: authority,
            isAuthority: true,
            now: now,
            randomness: &randomness
        )
        let middle = try Certificate.issue(
            commonName: "Jami",
            for: account.publicKey,
            by: top,
            signedWith: authority,
            isAuthority: true,
            now: now,
            randomness: &randomness
        )
        let leaf = try Certificate.issue(
            commonName: "Jami device",
            for: device.publicKey,
            by: middle,
            signedWith: account,
            isAuthority: false,
            now: now,
            randomness: &randomness
        )
        return try DeviceIdentity(chain: CertificateChain([leaf, middle, top]), key: device)
    }
}

/// Signalling between managers of one process.
final class LocalNetwork: Sendable {
    private struct State {
        var inboxes: [InfoHash: AsyncStream<SignalledMessage>.Continuation] = [:]
        var chains: [InfoHash: CertificateChain] = [:]
        var sent: [PeerMessage] = []
        var loses = false
    }

    private let state = Mutex(State())

    var sent: [PeerMessage] { state.withLock { $0.sent } }

    /// Makes every later message vanish.
    func loseEverything() {
        state.withLock { $0.loses = true }
    }

    func signalling(for identity: DeviceIdentity) -> Endpoint {
        state.withLock { $0.chains[identity.shortDeviceID] = identity.chain }
        return Endpoint(network: self, identity: identity)
    }

    struct Endpoint: Signalling {
        let network: LocalNetwork
        let identity: DeviceIdentity

        func incoming() async -> AsyncStream<SignalledMessage> {
            let (stream, continuation) = AsyncStream.makeStream(
                of: SignalledMessage.self,
                bufferingPolicy: .bufferingOldest(64)
            )
            network.state.withLock { $0.inboxes[identity.shortDeviceID] = continuation }
            return stream
        }

        func send(_ message: PeerMessage, to device: CertificateChain, over keys: SignallingKeys) async throws {
            let decoded = try PeerMessage(message.encode())
            let inbox = network.state.withLock { state in
                state.sent.append(decoded)
                return state.loses ? nil : state.inboxes[device.shortDeviceID]
            }
            // Twice, as over two keys.
            for kind in [SignallingKeys.short, .long] where keys.contains(kind) {
                inbox?.yield(SignalledMessage(message: decoded, signer: identity.chain.leaf.publicKey, keys: kind))
            }
        }

        func chain(ofSigner signer: RSAPublicKey) async throws -> CertificateChain? {
            network.state.withLock { $0.chains[signer.shortID] }
        }
    }
}

/// A manager that accepts channels unless their name starts with `no`, and echoes what comes on `echo`.
struct TestPeer: Sendable {
    let identity: DeviceIdentity
    let manager: ConnectionManager
    let opened: AsyncStream<PeerChannel>

    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)

    init(
        _ identity: DeviceIdentity,
        on network: LocalNetwork,
        isOpenToAll: Bool = true,
        signallingAs: DeviceIdentity? = nil,
        configuration: ConnectionManager.Configuration = .init(allowsLoopback: true)
    ) {
        self.identity = identity
        let (stream, continuation) = AsyncStream.makeStream(of: PeerChannel.self, bufferingPolicy: .bufferingOldest(64))
        opened = stream
        manager = ConnectionManager(
            identity: identity,
            signalling: network.signalling(for: signallingAs ?? identity),
            configuration: configuration,
            eventLoopGroup: Self.group,
            logger: Logger(label: "test"),
            authorize: { _ in isOpenToAll },
            accept: { _, name in !name.hasPrefix("no") },
            opened: { channel in
                guard channel.name == "echo" else {
                    continuation.yield(channel)
                    return
                }
                for await piece in channel.inbound { try? await channel.write(piece) }
            }
        )
    }
}
