import Foundation
import Identity
import Keys
public import Logging
public import NIOCore
public import Names
public import Runtime

/// All accounts of a data folder: what a daemon runs.
public actor ApusService {
    public struct Options: Sendable {
        /// Replaces what the accounts would use, for this run; empty leaves it to them.
        public var bootstrap: [String]
        public var bindAddress: String
        /// Where the DHT is joined over IPv6; `nil` does without.
        public var bindAddress6: String?
        /// Offers loopback addresses to peers; only for trials on one machine.
        public var allowsLoopback: Bool
        /// Whether nodes of the local network are looked for, and find ours.
        public var discovery: Bool
        /// Replaces the name servers of the accounts, for this run; empty leaves them.
        public var nameServers: [NameServerAddress]
        /// What proofs of names are judged by.
        public var nameTrust: NameTrust?

        public init(
            bootstrap: [String] = [],
            bindAddress: String = "0.0.0.0",
            bindAddress6: String? = "::",
            allowsLoopback: Bool = false,
            discovery: Bool = false,
            nameServers: [NameServerAddress] = [],
            nameTrust: NameTrust? = nil
        ) {
            self.nameServers = nameServers
            self.nameTrust = nameTrust
            self.bootstrap = bootstrap
            self.bindAddress = bindAddress
            self.bindAddress6 = bindAddress6
            self.allowsLoopback = allowsLoopback
            self.discovery = discovery
        }
    }

    /// What is remembered of an account beside its keys and its database.
    private struct Settings: Codable {
        var alias: String
        var created: Int64
        var bootstrap: [String]
        /// The name server that the user chose.
        var nameServer: String?
    }

    private let folder: String
    private let options: Options
    private let group: any EventLoopGroup
    private let time: any TimeSource
    private let logger: Logger
    private var accounts: [Account] = []
    private var isRunning = false

    /// Prepares the service; the folder is made if it is missing, for its user only.
    public init(
        folder: String,
        options: Options,
        group: any EventLoopGroup,
        time: any TimeSource = SystemTime(),
        logger: Logger
    ) throws {
        self.folder = folder
        self.options = options
        self.group = group
        self.time = time
        self.logger = logger
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
    }

    /// Opens every account and brings it online.
    ///
    /// An account that cannot be opened is reported in the log and left out; the others run.
    public func start() async throws {
        guard !isRunning else { return }
        isRunning = true
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        for name in names where FileManager.default.fileExists(atPath: "\(folder)/\(name)/\(Self.settingsFile)") {
            do {
                try await open(name)
            } catch {
                logger.error("an account could not be opened", metadata: ["account": "\(name)", "reason": "\(error)"])
            }
        }
    }

    /// Takes every account offline in good order.
    public func stop() async {
        guard isRunning else { return }
        isRunning = false
        await withDiscardingTaskGroup { group in
            for account in accounts { group.addTask { await account.stop() } }
        }
        accounts = []
    }

    private static let settingsFile = "account.json"

    @discardableResult
    private func open(_ name: String) async throws -> Account {
        let path = "\(folder)/\(name)"
        let settings = try settings(of: name)
        let network = Account.Network(
            bootstrap: options.bootstrap.isEmpty ? settings.bootstrap : options.bootstrap,
            bindAddress: options.bindAddress,
            bindAddress6: options.bindAddress6,
            allowsLoopback: options.allowsLoopback,
            discovery: options.discovery,
            nameServers: nameServers(of: settings),
            nameTrust: options.nameTrust
        )
        let account = try Account(
            folder: AccountFolder(path: path),
            name: name,
            alias: settings.alias,
            network: network,
            group: group,
            time: time,
            logger: logger
        )
        accounts.append(account)
        try await account.start()
        return account
    }

    // MARK: Settings

    private func settings(of name: String) throws -> Settings {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)/\(Self.settingsFile)"))
        return try JSONDecoder().decode(Settings.self, from: data)
    }

    private func store(_ settings: Settings, of name: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try DurableFile.write([UInt8](encoder.encode(settings)), to: Self.settingsFile, in: "\(folder)/\(name)")
    }

    private func nameServers(of settings: Settings) -> [NameServerAddress] {
        guard options.nameServers.isEmpty else { return options.nameServers }
        return [settings.nameServer.flatMap { NameServerAddress($0) } ?? .standard]
    }

    /// Chooses the name server of an account; `nil` goes back to the standard one.
    ///
    /// - Returns: the account as it is then.
    public func setNameServer(_ text: String?, of account: Account) async throws -> AccountInfo {
        let server = try text.map { text throws(ApusError) in
            guard let server = NameServerAddress(text) else {
                throw ApusError(.invalidIdentifier, NameQueryError.notAServer(text).sentence)
            }
            return server
        }
        do {
            var settings = try settings(of: account.name)
            settings.nameServer = server?.text
            try store(settings, of: account.name)
            await account.useNameServers(nameServers(of: settings))
        } catch {
            throw ApusError(.storage, "The name server could not be stored: \(error)")
        }
        return await account.info()
    }

    // MARK: Accounts

    /// Makes an account: its keys, its archive, its first device.
    ///
    /// Done when all of it is on disk. Takes a second or two, for three RSA keys. An empty password leaves the archive readable to whoever can read the
    /// folder.
    public func createAccount(alias: String, password: String, bootstrap: [String]) async throws -> AccountInfo {
        let alias = alias.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !alias.isEmpty, alias.utf8.count <= 128 else {
            throw ApusError(.invalidIdentifier, "An account needs a name of at most 128 bytes.")
        }
        for account in accounts where account.alias == alias {
            throw ApusError(
                .aliasTaken,
                "There is an account “\(alias)” already (\(account.name)). Choose another name."
            )
        }
        let created = try await NewAccount.create(displayName: alias, now: time.wallTime)
        var randomness = Randomness.secure
        let name = Hexadecimal.encode(randomness.bytes(8))
        let path = "\(folder)/\(name)"
        do {
            let target = AccountFolder(path: path)
            try target.store(created, password: password, randomness: &randomness)
            let chosen = bootstrap.isEmpty ? options.bootstrap : bootstrap
            let settings = Settings(
                alias: alias,
                created: time.wallTime.milliseconds,
                bootstrap: chosen.isEmpty ? Account.Network.publicBootstrap : chosen
            )
            // Written last: a folder without it is no account.
            try store(settings, of: name)
        } catch {
            try? FileManager.default.removeItem(atPath: path)
            throw ApusError(.storage, "The account could not be stored in \(path): \(error)")
        }
        return await (try open(name)).info()
    }

    public func accountInfos() async -> [AccountInfo] {
        var infos: [AccountInfo] = []
        for account in accounts { infos.append(await account.info()) }
        return infos
    }

    public func statuses() async throws -> [AccountStatus] {
        var statuses: [AccountStatus] = []
        for account in accounts { statuses.append(try await account.status()) }
        return statuses
    }

    /// The account that a person means: a local name, an identifier, an alias, or the only one.
    public func account(named text: String?) throws -> Account {
        guard let text, !text.isEmpty else {
            guard let only = accounts.first else {
                throw ApusError(.noAccount, "There is no account yet. Make one with: apus account new --alias NAME")
            }
            guard accounts.count == 1 else {
                let names = accounts.map(\.alias).joined(separator: ", ")
                throw ApusError(.accountAmbiguous, "There are several accounts (\(names)). Choose one with --account.")
            }
            return only
        }
        let matching = accounts.filter {
            $0.name == text || $0.identity.accountID.hex == text || $0.alias.lowercased() == text.lowercased()
        }
        guard let account = matching.first else {
            throw ApusError(.accountNotFound, "There is no account “\(text)”. See: apus account list")
        }
        return account
    }

    public func allAccounts() -> [Account] { accounts }
}
