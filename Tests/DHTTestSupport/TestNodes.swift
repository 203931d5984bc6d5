public import DHT
public import Keys
import Logging
import NIOPosix
public import Runtime
import Synchronization

/// Nodes of ours for tests.
public enum TestNodes {
    public typealias Identity = (key: RSAPrivateKey, chain: CertificateChain)

    /// A configuration for this machine alone; `bootstrap` are ports of it.
    public static func configuration(
        bootstrap ports: [Int] = [],
        port: Int = 0,
        identity: Identity? = nil,
        state: NodeState? = nil
    ) -> DHTNode.Configuration {
        var configuration = DHTNode.Configuration()
        configuration.bindAddress = "127.0.0.1"
        configuration.bindAddress6 = nil
        configuration.port = port
        configuration.bootstrap = ports.map { "127.0.0.1:\($0)" }
        configuration.identity = identity
        configuration.savedState = state
        return configuration
    }

    /// A node that runs, and that is connected if it knows whom to ask.
    public static func start(
        _ configuration: DHTNode.Configuration,
        time: any TimeSource = SystemTime()
    ) async throws -> DHTNode {
        let node = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            time: time,
            logger: Logger(label: "test")
        )
        try await node.start()
        if !configuration.bootstrap.isEmpty || configuration.savedState != nil { await isConnected(node) }
        return node
    }

    public static func isConnected(_ node: DHTNode) async {
        for await status in await node.statusChanges where status == .connected { break }
    }

    /// A key and its certificate, issued by an authority of its own.
    public static func identity() throws -> Identity {
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

/// The clocks of the system, put forward by what a test does not want to wait for.
public final class ShiftedTime: TimeSource {
    private let shift = Mutex(Duration.zero)
    private let system = SystemTime()

    public init() {}

    public func advance(by duration: Duration) {
        shift.withLock { $0 += duration }
    }

    public var now: Instant { system.now + shift.withLock { $0 } }

    public var wallTime: WallTime {
        let milliseconds = shift.withLock { $0 }.components.seconds * 1000
        return WallTime(milliseconds: system.wallTime.milliseconds + milliseconds)
    }
}
