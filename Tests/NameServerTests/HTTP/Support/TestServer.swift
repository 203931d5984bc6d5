import Ethereum
import Foundation
import Keys
import Logging
import NIOCore
import NIOPosix
import NameRegistry
import Runtime
import TestSupport

@testable import NameServer

/// A name server on a port that the system has picked, with a store of its own.
final class TestServer: Sendable {
    let store: any NameStore
    let service: NameService
    let http: NameHTTPServer
    private let folder: TemporaryFolder

    private init(store: any NameStore, service: NameService, http: NameHTTPServer, folder: TemporaryFolder) {
        self.store = store
        self.service = service
        self.http = http
        self.folder = folder
    }

    var port: Int { http.port }
    var logPath: String { folder.path + "/names/registrations.log" }

    /// Options without limits on rates, for tests of other things.
    static var unlimited: NameServerOptions {
        var options = NameServerOptions()
        options.lookUpsPerSecond = 0
        options.registrationsPerMinute = 0
        return options
    }

    private static let quiet: Logger = {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }()

    static func openStore(in folder: TemporaryFolder, _ name: String = "names") async throws -> any NameStore {
        try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: "\(try folder.folder(name))/names.sqlite"))
    }

    /// Runs a body with a server, which is stopped however it ends.
    static func run<Result: Sendable>(
        options: NameServerOptions = unlimited,
        listener: NameServerListener = NameServerListener(),
        mode: ServerMode = .sql,
        chain: (any ChainBackend)? = nil,
        time: any TimeSource = SystemTime(),
        trouble: TroubledStore.Trouble? = nil,
        mirrorOf origin: String? = nil,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (TestServer) async throws -> Result
    ) async throws -> Result {
        let folder = try TemporaryFolder(named: "names")
        let base = try await openStore(in: folder)
        let store: any NameStore = trouble.map { TroubledStore(base, $0) } ?? base
        let service = NameService(
            store: store,
            mode: mode,
            chain: chain,
            mirror: origin.map { MirrorFollower(origin: $0, store: store, logger: quiet) },
            options: options,
            time: time,
            logger: quiet
        )
        var listener = listener
        if listener.host == "::" { listener.host = "127.0.0.1" }
        listener.port = 0
        let http = try await NameHTTPServer.start(
            service,
            at: listener,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: quiet
        )
        let server = TestServer(store: store, service: service, http: http, folder: folder)
        do {
            let result = try await body(server)
            await server.stop(base)
            return result
        } catch {
            await server.stop(base)
            throw error
        }
    }

    private func stop(_ base: any NameStore) async {
        await http.stop()
        await service.stop()
        await base.close()
    }

    // MARK: Asking

    /// Sends bytes on a connection of their own, and gives the answer.
    func exchange(
        _ bytes: String,
        isWithoutBody: Bool = false,
        within timeout: Duration = .seconds(20)
    ) async throws -> RawResponse {
        let connection = try await RawConnection.open(to: port)
        connection.send(bytes)
        let response = await connection.response(isWithoutBody: isWithoutBody, within: timeout)
        await connection.close()
        guard let response else { throw PeerError("No answer to \(bytes.prefix(80))") }
        return response
    }

    /// Asks as the clients do.
    func get(_ target: String, headers: String = "") async throws -> RawResponse {
        try await exchange(
            "GET \(target) HTTP/1.1\r\nAccept: */*\r\nContent-Type: application/json\r\nHost: 127.0.0.1\r\n"
                + "User-Agent: JamiDHT\r\n\(headers)Connection: close\r\n\r\n"
        )
    }

    func post(_ target: String, _ body: String, headers: String = "") async throws -> RawResponse {
        try await exchange(
            "POST \(target) HTTP/1.1\r\nAccept: */*\r\nContent-Type: application/json\r\nHost: 127.0.0.1\r\n"
                + "User-Agent: JamiDHT\r\n\(headers)Connection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
    }

    func post(_ person: Person, _ name: String) async throws -> RawResponse {
        try await post("/name/\(name)", try person.body(for: name))
    }
}

/// An account that registers names.
struct Person: Sendable {
    let key: RSAPrivateKey
    let owner: Address

    static let ana = Person(seed: 1)
    static let ben = Person(seed: 2)

    init(key: RSAPrivateKey, owner: Address) {
        self.key = key
        self.owner = owner
    }

    private init(seed: UInt32) {
        // Small keys are made quickly.
        guard let key = try? RSAPrivateKey.generate(bits: 2_048) else { fatalError("No key") }
        self.init(key: key, owner: Address(InfoHash(high: 1, middle: 2, low: seed)))
    }

    var account: InfoHash { key.publicKey.shortID }
    var address: String { Address(account).hex }

    func registration(of name: String) throws -> Registration {
        guard let name = Name(canonical: name) else { throw PeerError("\(name) is no name") }
        return Registration(
            name: name,
            account: account,
            owner: owner,
            evidence: try NameEvidence.sign(name, with: key)
        )
    }

    /// The body of a registration as clients write it.
    func body(for name: String) throws -> String {
        let evidence = try registration(of: name).evidence
        return Self.body(
            account: String(account.hex),
            owner: owner.hash.hex,
            publicKey: evidence?.publicKeyText ?? "",
            signature: evidence?.signatureText ?? ""
        )
    }

    static func body(account: String, owner: String, publicKey: String, signature: String) -> String {
        #"{"addr":"\#(account)","owner":"\#(owner)","signature":"\#(signature)","publickey":"\#(publicKey)"}"#
    }
}
