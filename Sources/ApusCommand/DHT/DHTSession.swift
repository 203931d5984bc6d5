import DHT
import Foundation
import Keys
import NIOCore
import NIOPosix
import Runtime

/// A node of this process, as the options of a command want it.
final class DHTSession: Sendable {
    private static let savingPeriod = Duration.seconds(180)
    /// How long nodes of the local network get to be found after all others were given up.
    private static let localPatience = Duration.milliseconds(1500)

    let node: DHTNode
    let options: DHTOptions
    let identity: (key: RSAPrivateKey, chain: CertificateChain)?

    let log: NodeLog
    /// Found out while the node tries, since it may take long.
    private let reasons: Task<[String], Never>
    private let isBrief: Bool
    private let loaded: NodeState?

    private init(
        node: DHTNode,
        options: DHTOptions,
        identity: NodeIdentity.Identity?,
        log: NodeLog,
        isBrief: Bool,
        loaded: NodeState?
    ) {
        self.isBrief = isBrief
        self.loaded = loaded
        self.node = node
        self.options = options
        self.identity = identity
        self.log = log
        reasons = Task {
            var reasons: [String] = []
            for host in options.bootstrap { reasons.append(await BootstrapReason.of(host)) }
            return reasons
        }
    }

    /// Starts a node; returns before any other has answered.
    ///
    /// A brief one stays out of the tables of others, where it would only be in the way when it is gone.
    static func start(_ options: DHTOptions, isBrief: Bool = false) async throws -> DHTSession {
        let log = NodeLog(isOn: options.common.verbose)
        let identity = try identity(options)
        var configuration = DHTNode.Configuration()
        configuration.port = Int(options.port ?? 0)
        configuration.network = options.network
        configuration.bootstrap = options.bootstrap
        configuration.identity = identity
        configuration.isClient = options.client || isBrief
        if isBrief {
            // A node of the same key or state may be running.
            var randomness = configuration.randomness
            configuration.id = .random(using: &randomness)
        }
        configuration.discovery = !options.noDiscovery
        configuration.limitsRequests = !options.noRateLimit
        let loaded = try savedState(options)
        configuration.savedState = loaded
        let node = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: log.logger()
        )
        do {
            try await node.start()
        } catch  where error.code == .bind {
            let port = options.port.map { "UDP port \($0) cannot be used" } ?? "No UDP port can be used"
            throw Failure(kind: .refused, sentence: "\(port), perhaps since another program has it.")
        } catch {
            throw Failure(error)
        }
        return DHTSession(node: node, options: options, identity: identity, log: log, isBrief: isBrief, loaded: loaded)
    }

    private static func identity(_ options: DHTOptions) throws -> NodeIdentity.Identity? {
        if let name = options.identity { return try NodeIdentity.load(name) }
        guard let prefix = options.saveIdentity else { return nil }
        if NodeIdentity.exists(prefix) { return try NodeIdentity.load(prefix) }
        let progress = Progress(isQuiet: options.json)
        progress.show("Making keys; this takes a few seconds…")
        defer { progress.clear() }
        let (made, authority) = try NodeIdentity.make()
        try NodeIdentity.save(made, authority: authority, to: prefix)
        return made
    }

    private static func savedState(_ options: DHTOptions) throws -> NodeState? {
        guard let path = options.saveState, FileManager.default.fileExists(atPath: path) else { return nil }
        let content = try PrivateFile.read(path, limit: NodeState.longest)
        do {
            return try NodeState(decoding: content)
        } catch {
            throw Failure(kind: .refused, sentence: "The file \(path) does not hold the state of a node.")
        }
    }

    // MARK: Connecting

    /// Waits for the first node that answers.
    ///
    /// Throws a ``Failure`` when there is none, as soon as that is certain.
    func connect() async throws {
        let progress = Progress(isQuiet: options.json)
        if await node.status != .connected { progress.show("Joining the network…") }
        let isConnected = await isConnected(within: options.patience)
        progress.clear()
        guard !isConnected else { return }
        throw Failure(kind: .notYet, sentence: await unreachable())
    }

    private func isConnected(within limit: Duration) async -> Bool {
        let node = node
        let hasDiscovery = !options.noDiscovery
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await status in await node.statusChanges where status == .connected { return true }
                return false
            }
            group.addTask {
                try? await Task.sleep(for: limit)
                return false
            }
            group.addTask {
                await Self.isGivenUp(node, patience: hasDiscovery ? Self.localPatience : .zero)
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    /// Returns when all addresses to start from were tried in vain, and local nodes had their time.
    private static func isGivenUp(_ node: DHTNode, patience: Duration) async {
        for await status in await node.statusChanges where status == .disconnected { break }
        try? await Task.sleep(for: patience)
    }

    /// Why nobody was reached, in a sentence.
    func unreachable() async -> String {
        let local = options.noDiscovery ? "" : ", and no node was found on the local network"
        guard !options.bootstrap.isEmpty else { return "There is no address to start from\(local)." }
        return "No answer from \(await reasons.value.joined(separator: ", nor from "))\(local)."
    }

    // MARK: Ending

    /// Saves the state every few minutes, until the task is cancelled.
    func keepSaving() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.savingPeriod)
            guard !Task.isCancelled else { return }
            do {
                try await save()
            } catch {
                Output.note("apus: \((error as? Failure)?.sentence ?? "\(error)")")
            }
        }
    }

    func save() async throws {
        guard let path = options.saveState else { return }
        var state = await node.export()
        if isBrief, let loaded {
            // It is the state of another node, of which this one has seen a part.
            state.id = loaded.id
            let seen = Set(state.contacts.map(\.id))
            state.contacts += loaded.contacts.filter { !seen.contains($0.id) }
        }
        try PrivateFile.write(state.encoded, to: path)
    }

    /// Saves the state, if that is wanted, and stops the node.
    func end() async throws {
        do {
            try await save()
        } catch {
            await node.shutdown()
            throw error
        }
        await node.shutdown()
    }
}

/// Why an address to start from gave nothing.
enum BootstrapReason {
    static func of(_ text: String) async -> String {
        guard let address = HostAddress(text) else { return "\(Output.safe(text)) (that is no address)" }
        let host = address.host.contains(":") ? "[\(address.host)]" : address.host
        let shown = "\(Output.safe(host)):\(address.port)"
        let endpoints = try? await NIOThreadPool.singleton.runIfActive { address.resolve() }
        return endpoints?.isEmpty == true ? "\(shown) (its name is not known here)" : shown
    }
}
