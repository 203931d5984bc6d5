import ArgumentParser
import Foundation
import JSON
import Logging
import NIOPosix
import NameServer

/// Serves names until it is stopped.
struct NamesServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run a name server in the foreground.",
        discussion: """
            Answers Jami clients of all generations and Apus on HTTP; put a proxy with TLS in front of it for the world. \
            Without options it keeps its names in SQLite in the data folder and listens on port 8080 of every address. \
            SIGINT and SIGTERM end it in good order.

            Exit codes: 0 stopped in good order; 1 refused, with the reason; 4 the port is in use; 5 another server \
            uses the folder; 64 the command was not understood.
            """
    )

    @OptionGroup var folder: NameServerFolder

    @Option(help: "The address to listen on (default: every one, of IPv6 and IPv4).")
    var listen: String?

    @Option(help: "The port to listen on; 0 lets the system pick one.")
    var port = 8080

    @Option(help: "Follow the server at this URL as a mirror: check and keep its names, register none.")
    var mirror: String?

    @Flag(help: "Accept registrations without key and signature, as very old servers did.")
    var allowUnsigned = false

    @Flag(help: "Take the client's address from X-Forwarded-For where a private address connects.")
    var trustProxy = false

    @Option(help: "Look-ups of one client in a second; 0 for no limit.")
    var lookUpsPerSecond = 50.0

    @Option(help: "Registrations of one client in a minute; 0 for no limit.")
    var registrationsPerMinute = 5.0

    @Option(help: "Connections at once.")
    var maximumConnections = 20_000

    @Option(help: "The file that every registration is written to first, best on another disk.")
    var registrationsLog: String?

    @Option(
        help: """
            Who has the last word on a name: “sql” this server's store, “shadow” the store while a chain follows, \
            “dual” both, “chain” the chain.
            """
    )
    var mode = ServerMode.sql

    @OptionGroup(title: "Chain") var chain: ChainOptions

    @Option(
        help: "How deep on the chain a registration is acknowledged, “included” or “final” (default: what is safe)."
    )
    var acknowledge: ModePolicy.Depth?

    @Flag(help: "Print JSON for programs.")
    var json = false

    @Flag(help: "Say more.")
    var verbose = false

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("A port is a number from 0 to 65535.") }
        guard maximumConnections > 0 else { throw ValidationError("At least one connection is needed.") }
        guard lookUpsPerSecond >= 0, registrationsPerMinute >= 0 else {
            throw ValidationError("A rate is not negative.")
        }
        if mirror != nil, mode != .sql { throw ValidationError("A mirror has no mode of its own.") }
        if let mirror {
            guard let url = URL(string: mirror), url.host() != nil, ["http", "https"].contains(url.scheme) else {
                throw ValidationError("The server to mirror is given by its URL, such as https://names.example.")
            }
        }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let isVerbose = verbose
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = isVerbose ? .info : .warning
            return handler
        }
        let logger = Logger(label: "apus.names")
        let lock = try folder.lock()
        defer { lock.release() }
        let signals = StopSignals()
        let store = try await NameServerStores.open(folder, log: registrationsLog)
        let follower = mirror.map { MirrorFollower(origin: $0, store: store, logger: logger) }
        let chain = try await startChain(store, logger)
        let service = NameService(
            store: store,
            mode: mode,
            chain: chain,
            mirror: follower,
            options: options,
            logger: logger
        )
        let server = try await start(service, logger)
        let following = Task { await follower?.run() }
        let chaining = Task { await chain?.run() }
        greet(server, names: (try? await store.read { try $0.recordCount() }) ?? 0)
        await signals.wait()
        following.cancel()
        await server.stop()
        chaining.cancel()
        await service.stop()
        await following.value
        await chaining.value
        await store.close()
        if !json { Output.note("The name server has stopped.") }
    }

    private var options: NameServerOptions {
        var options = NameServerOptions()
        options.allowsUnsigned = allowUnsigned
        options.trustsProxy = trustProxy
        options.lookUpsPerSecond = lookUpsPerSecond
        options.lookUpBurst = lookUpsPerSecond * 4
        options.registrationsPerMinute = registrationsPerMinute
        options.registrationBurst = registrationsPerMinute * 2
        return options
    }

    private func startChain(_ store: any NameStore, _ logger: Logger) async throws -> ChainService? {
        guard mode.usesChain else { return nil }
        let memory = try await store.read { try $0.setting(ChainSetting.registry) }.flatMap { RegistryMemory($0) }
        let registry = try await chain.open(or: memory)
        var configuration = ChainService.Configuration(
            mode: mode,
            council: registry.configuration.council,
            firstBlock: registry.configuration.firstBlock,
            rule: registry.configuration.rule,
            blockTime: .seconds(chain.blockTime)
        )
        configuration.depth = acknowledge
        let service = ChainService(
            configuration,
            store: store,
            chain: registry,
            identity: ChainService.Identity(chainID: registry.chainID, store: registry.store),
            proofs: NodeProofSource(registry),
            logger: logger
        )
        do throws(ChainStartError) {
            try await service.prepare(asksChain: !registry.isRemembered)
        } catch {
            throw Failure(kind: .refused, sentence: "\(error)")
        }
        guard !registry.isRemembered else {
            logger.warning("No node of the chain answers; names are served as they are stored")
            return service
        }
        let known = registry.memory
        try await store.write { try $0.set(known.text, for: ChainSetting.registry) }
        return service
    }

    private func start(_ service: NameService, _ logger: Logger) async throws -> NameHTTPServer {
        var listener = NameServerListener()
        listener.port = port
        listener.maximumConnections = min(maximumConnections, max(16, FileLimit.raise() - 128))
        // A machine without IPv6 cannot listen on its unspecified address.
        let hosts = listen.map { [$0] } ?? ["::", "0.0.0.0"]
        for (index, host) in hosts.enumerated() {
            listener.host = host
            do throws(NameHTTPServer.StartError) {
                return try await NameHTTPServer.start(
                    service,
                    at: listener,
                    group: MultiThreadedEventLoopGroup.singleton,
                    logger: logger
                )
            } catch {
                if case .unusableAddress = error, index < hosts.count - 1 { continue }
                throw Self.failure(error)
            }
        }
        throw Failure(kind: .refused, sentence: "There is no address to listen on.")
    }

    private static func failure(_ error: NameHTTPServer.StartError) -> Failure {
        switch error {
        case .portInUse(let port):
            Failure(
                kind: .portInUse,
                sentence: "Port \(port) is used by another program. Choose another one with --port."
            )
        case .notPermitted(let port):
            Failure(
                kind: .refused,
                sentence: "Port \(port) may not be used by you. Choose one from 1024 on with --port."
            )
        case .unusableAddress(let address, let reason):
            Failure(kind: .refused, sentence: "The address \(address) cannot be listened on: \(reason).")
        }
    }

    private func greet(_ server: NameHTTPServer, names: Int) {
        let host = listen ?? "localhost"
        let url = "http://\(host.contains(":") ? "[\(host)]" : host):\(server.port)"
        guard !json else {
            let line: JSONValue = [
                "listening": .string(url), "port": .integer(Int64(server.port)), "folder": .string(folder.path),
                "names": .integer(Int64(names)), "mirrorOf": mirror.map { .string($0) } ?? .null,
            ]
            return Output.say(line.line)
        }
        let place = folder.database == nil ? folder.path : "PostgreSQL"
        let kept = names == 1 ? "1 name" : "\(names) names"
        Output.say(
            """
            The name server listens on \(url) and keeps \(kept) in \(place).
            Look at it in a browser, or try: curl \(url)/name/alice
            Set \(url) as the name server of an account in order to register a name. End it with Ctrl-C.
            """
        )
        if let mirror { Output.say("It is a mirror of \(mirror) and registers no names itself.") }
    }
}
