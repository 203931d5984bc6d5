import DHT
import Foundation
import GRDB
import Git
public import Identity
import Keys
public import Logging
public import NIOCore
public import Names
import PeerLink
public import Runtime
import Swarm

/// One account on this device: its keys, its contacts and conversations, and the connections that serve them.
///
/// The facade over everything below. What a method reports as done is on disk; what has to reach others goes on in the
/// background until it has reached them.
public actor Account {
    /// How an account reaches the network.
    public struct Network: Sendable {
        /// `HOST[:PORT]` of nodes through which the DHT is joined.
        public var bootstrap: [String]
        public var bindAddress: String
        /// Where the DHT is joined over IPv6; `nil` does without.
        public var bindAddress6: String?
        /// 0 lets the system choose.
        public var port: Int
        /// Offers loopback addresses to peers; only for trials on one machine, no other client uses them.
        public var allowsLoopback: Bool
        /// Whether nodes of the local network are looked for, and find this one.
        public var discovery: Bool
        /// Who is asked for names; the first one registers them.
        public var nameServers: [NameServerAddress]
        /// What proofs of names are judged by; `nil` does without proofs.
        public var nameTrust: NameTrust?

        public init(
            bootstrap: [String],
            bindAddress: String = "0.0.0.0",
            bindAddress6: String? = "::",
            port: Int = 0,
            allowsLoopback: Bool = false,
            discovery: Bool = false,
            nameServers: [NameServerAddress] = [.standard],
            nameTrust: NameTrust? = nil
        ) {
            self.nameServers = nameServers
            self.nameTrust = nameTrust
            self.bootstrap = bootstrap
            self.bindAddress = bindAddress
            self.bindAddress6 = bindAddress6
            self.port = port
            self.allowsLoopback = allowsLoopback
            self.discovery = discovery
        }

        public static let publicBootstrap = ["bootstrap.jami.net"]
    }

    typealias Schedule = DeliverySchedule<LongID, ConversationID>

    /// The name of the account on this machine, 16 hexadecimal digits.
    public nonisolated let name: String
    public nonisolated let alias: String
    public nonisolated let identity: DeviceIdentity

    nonisolated let folder: AccountFolder
    nonisolated let announcement: [UInt8]
    nonisolated let database: AccountDatabase
    nonisolated let timeline: Timeline
    nonisolated let hub = EventHub()
    nonisolated let dht: DHTNode
    nonisolated let logger: Logger
    nonisolated let time: any TimeSource
    nonisolated let group: any EventLoopGroup
    nonisolated let tasks = TaskBag()
    var network: Network
    /// Whom names are asked from.
    var names: NameDirectory

    var links: ConnectionManager?
    var schedule = Schedule()
    var scheduleTimer: Task<Void, Never>?
    /// The contacts whose announcements are watched.
    var watched: Set<InfoHash> = []
    /// Announcements that are alive, by contact and device.
    var announced: [InfoHash: [InfoHash: Set<UInt64>]] = [:]
    /// Devices whose certificates are being looked up, by short id.
    var lookups: Set<InfoHash> = []
    /// When a trust request was last sent to a device.
    var lastTrust: [LongID: Instant] = [:]
    var texts: [LongID: [TextChannel]] = [:]
    var fetchers: [Schedule.Target: Fetcher] = [:]
    var settling: [Schedule.Target: Task<Void, Never>] = [:]
    var isAnnounced = false
    var isRunning = false
    var randomness = Randomness.secure

    /// Prepares an account that ``start()`` brings online.
    public init(
        folder: AccountFolder,
        name: String,
        alias: String,
        network: Network,
        group: any EventLoopGroup,
        time: any TimeSource = SystemTime(),
        logger: Logger
    ) throws {
        let stored = try folder.openDevice(at: time.wallTime)
        self.folder = folder
        names = Self.directory(for: network, folder: folder, time: time)
        self.name = name
        self.alias = alias
        self.network = network
        self.group = group
        self.time = time
        var logger = logger
        logger[metadataKey: "account"] = "\(name)"
        self.logger = logger
        identity = stored.identity
        announcement = stored.receipt.announcement
        timeline = Timeline(account: name)
        database = try AccountDatabase(path: folder.path + "/account.sqlite")

        var configuration = DHTNode.Configuration()
        configuration.bindAddress = network.bindAddress
        configuration.bindAddress6 = network.bindAddress6
        configuration.port = network.port
        configuration.bootstrap = network.bootstrap
        configuration.discovery = network.discovery
        configuration.identity = (identity.key, identity.chain)
        dht = DHTNode(configuration: configuration, eventLoopGroup: group, time: time, logger: logger)
    }

    // MARK: Life

    /// Joins the DHT, announces the device and begins to serve contacts.
    public func start() async throws {
        guard !isRunning else { return }
        isRunning = true
        try await dht.start()
        let links = ConnectionManager(
            identity: identity,
            signalling: DHTSignalling(node: dht, identity: identity, logger: logger),
            configuration: linkConfiguration,
            eventLoopGroup: group,
            time: time,
            logger: logger,
            authorize: { [weak self] chain in await self?.authorizes(chain) ?? false },
            accept: { [weak self] connection, name in await self?.accepts(name, on: connection) ?? false },
            opened: { [weak self] channel in await self?.opened(channel) }
        )
        self.links = links
        await links.start()
        tasks.start { [weak self] in await self?.watchConnections(of: links) }
        tasks.start { [weak self] in await self?.announce() }
        tasks.start { [weak self] in await self?.readInbox() }
        for contact in try await contactRows() where contact.isActive {
            if let id = InfoHash(hex: contact.id) { watch(id) }
        }
        try await restoreSchedule()
        startNames()
    }

    /// Connection requests stay in the DHT for minutes, so that a restarted device hears of treated ones again.
    private var linkConfiguration: ConnectionManager.Configuration {
        var configuration = ConnectionManager.Configuration(allowsLoopback: network.allowsLoopback)
        let pool = database.pool
        let time = time
        configuration.isFreshRequest = { id in
            let now = time.wallTime
            let isNew = try? await pool.write { database in
                try TreatedIDs.isNew("connection:\(id)", at: now, in: database)
            }
            return isNew ?? true
        }
        return configuration
    }

    /// Says goodbye to connected peers and leaves the DHT.
    public func stop() async {
        guard isRunning else { return }
        isRunning = false
        scheduleTimer?.cancel()
        for task in settling.values { task.cancel() }
        await links?.shutdown()
        await hub.close()
        await dht.shutdown()
        await names.close()
        await tasks.cancelAll()
        try? database.pool.close()
    }

    /// Puts the announcement of this device at the account's place, and keeps it there.
    private func announce() async {
        let id = randomness.next() | 1
        while !Task.isCancelled {
            do {
                var value = try Value(decoding: announcement)
                value.id = id
                value.priority = 1
                _ = try await dht.put(value, at: identity.accountID, permanent: true)
                isAnnounced = true
                return
            } catch {
                logger.info("the device could not be announced yet", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: .seconds(5))
            }
        }
    }

    // MARK: Looking

    public func info() async -> AccountInfo {
        let state: AccountInfo.State
        switch await dht.status {
        case .connected: state = isAnnounced ? .online : .starting
        case .connecting: state = .starting
        case .disconnected: state = isRunning && !isAnnounced ? .starting : .offline
        }
        return AccountInfo(
            account: name,
            id: identity.accountID.hex,
            device: identity.deviceID.hex,
            alias: alias,
            state: state,
            registeredName: await registeredName(),
            nameServer: names.configuration.servers[0].text
        )
    }

    public func status() async throws -> AccountStatus {
        let (contacts, outbox) = try await database.pool.read { database in
            (try ContactRow.fetchAll(database).filter(\.isActive).count, try Timeline.unsentCount(in: database))
        }
        return AccountStatus(
            account: await info(),
            dht: "\(await dht.status)",
            announced: isAnnounced,
            contacts: contacts,
            outbox: outbox,
            connections: await links?.connections().count ?? 0
        )
    }

    // MARK: Shared by the extensions

    /// Writes in one transaction and wakes those who wait for events.
    func write<Result: Sendable>(_ body: @escaping @Sendable (Database) throws -> Result) async throws -> Result {
        let result = try await database.pool.write(body)
        await hub.wake()
        return result
    }

    func read<Result: Sendable>(_ body: @escaping @Sendable (Database) throws -> Result) async throws -> Result {
        try await database.pool.read(body)
    }

    var signer: CommitSigner { CommitSigner(identity: identity, displayName: alias) }
}
