public import Ethereum
public import Keys
import NIOPosix
public import NameRegistry
public import Runtime

/// Finds accounts by name and names by account, and registers names.
///
/// Asks its servers in turn until one gives an answer that holds; what was wrong with the others is told with it. Callers
/// who ask the same at once share one question, and each is answered exactly once, also when it is cancelled.
public actor NameDirectory {
    public struct Configuration: Sendable {
        /// Servers of one registry, the first choice first; never empty.
        public let servers: [NameServerAddress]
        public var lookupLimit = Duration.seconds(30)
        public var registrationLimit = Duration.seconds(120)
        /// Where verified answers and accepted blocks are kept between runs; `nil` keeps them in memory only.
        public var cacheFolder: String?
        /// What proofs are judged by; `nil` does without proofs.
        public var trust: NameTrust?

        public init(
            servers: [NameServerAddress] = [],
            cacheFolder: String? = nil,
            trust: NameTrust? = nil
        ) {
            self.servers = servers.isEmpty ? [.standard] : servers
            self.cacheFolder = cacheFolder
            self.trust = trust
        }
    }

    /// For how long a server that failed is asked after the others.
    private static let suspicion = Duration.seconds(60)
    /// How soon a new answer is on disk.
    private static let storingPause = Duration.seconds(5)

    typealias LookupResult = Result<NameLookup, NameDirectoryError>

    struct Question: Hashable, Sendable {
        let name: Name
        let servers: [NameServerAddress]
    }

    private struct AccountQuestion: Hashable, Sendable {
        let account: InfoHash
        let servers: [NameServerAddress]
    }

    private struct RegistrationRequest: Hashable, Sendable {
        let registration: Registration
        let server: NameServerAddress
    }

    /// The folder for ``Configuration/cacheFolder`` in a data folder.
    public static let folderName = "names"

    public nonisolated let configuration: Configuration
    nonisolated let client: NameServerClient
    nonisolated let judge: ProofJudge?
    nonisolated let time: any TimeSource

    private nonisolated let lookups = SingleFlight<Question, LookupResult>()
    nonisolated let verifications = SingleFlight<Question, LookupResult>()
    private nonisolated let reverses = SingleFlight<AccountQuestion, Result<AccountLookup, NameDirectoryError>>()
    private nonisolated let registrations = SingleFlight<RegistrationRequest, RegistrationOutcome>()
    private nonisolated let file: NameCacheFile?
    private var cache: NameCache
    private var suspects: [NameServerAddress: Instant] = [:]
    private var changed: Set<NameServerAddress> = []
    private var storing: Task<Void, Never>?

    /// Asks the operators whom the trust settings name whether a block is final.
    public typealias Witnesses = @Sendable (_ number: UInt64, _ hash: Word) async -> QuorumTrust.Outcome

    /// Blocks while it reads the stored answers.
    ///
    /// - Parameters:
    ///   - configuration: whom to ask, and what to believe.
    ///   - transport: carries the questions.
    ///   - witnesses: instead of the nodes that the trust settings name.
    ///   - time: the clocks.
    public init(
        _ configuration: Configuration = Configuration(),
        transport: any NameServerTransport = HTTPNameServerTransport(),
        witnesses: Witnesses? = nil,
        time: any TimeSource = SystemTime()
    ) {
        self.configuration = configuration
        self.time = time
        client = NameServerClient(
            transport: transport,
            lookupLimit: configuration.lookupLimit,
            registrationLimit: configuration.registrationLimit
        )
        judge = configuration.trust.map { trust in
            ProofJudge(
                verifier: ProofVerifier(trust: trust),
                accepted: AcceptedBlocks(folder: configuration.cacheFolder),
                witnesses: witnesses ?? ProofJudge.nodes(of: trust),
                time: time
            )
        }
        file = configuration.cacheFolder.map { NameCacheFile(folder: $0) }
        var cache = NameCache()
        for server in configuration.servers { file?.load(server, into: &cache) }
        self.cache = cache
    }

    // MARK: Names

    /// Finds out who has a name.
    ///
    /// - Parameters:
    ///   - name: the name.
    ///   - server: the only server to ask, instead of those of the configuration.
    ///   - isFresh: whether answers of before do not count.
    /// - Returns: the answer, with its assurance.
    /// - Throws: what was wrong with every server that was asked.
    public nonisolated func lookup(
        _ name: Name,
        at server: NameServerAddress? = nil,
        isFresh: Bool = false
    ) async throws(NameDirectoryError) -> NameLookup {
        let question = Question(name: name, servers: server.map { [$0] } ?? configuration.servers)
        if !isFresh, let known = await remembered(question) { return known }
        let result = await lookups.join(question, cancelled: .failure(.cancelled)) { await self.ask(question) }
        return try result.get()
    }

    private func remembered(_ question: Question) -> NameLookup? {
        let now = time.wallTime
        for server in question.servers {
            guard let entry = cache.fresh(question.name, of: server, at: now) else { continue }
            return NameLookup(
                name: question.name,
                answer: entry.account.map { .found($0) } ?? .absent,
                assurance: entry.account == nil ? .unsigned : .signed,
                server: server,
                time: entry.time
            )
        }
        return nil
    }

    private func ask(_ question: Question) async -> LookupResult {
        await firstAnswer(of: question.servers) { server async throws(NameServerFault) in
            try await askOne(question.name, at: server)
        }
    }

    /// The first answer that holds, of servers that are asked in turn.
    func firstAnswer<Answer: AnswerOfServers>(
        of servers: [NameServerAddress],
        _ ask: (NameServerAddress) async throws(NameServerFault) -> Answer
    ) async -> Result<Answer, NameDirectoryError> {
        var problems: [NameServerProblem] = []
        for server in trustworthyFirst(servers) {
            do throws(NameServerFault) {
                var answer = try await ask(server)
                answer.problems = problems
                return .success(answer)
            } catch {
                guard error != .cancelled else { return .failure(.cancelled) }
                suspect(server)
                problems.append(NameServerProblem(server, error))
            }
        }
        return .failure(.failed(problems))
    }

    /// Asks one server and remembers its answer.
    private func askOne(_ name: Name, at server: NameServerAddress) async throws(NameServerFault) -> NameLookup {
        let answer = try await client.name(name, at: server)
        return try judge(answer, of: name, at: server)
    }

    /// Compares an answer with what the server said before, and remembers it.
    func judge(
        _ answer: NameAnswer?,
        of name: Name,
        at server: NameServerAddress
    ) throws(NameServerFault) -> NameLookup {
        suspects[server] = nil
        if let answer, answer.evidence == nil, cache.signer(of: name, at: server) != nil {
            throw .lie(.strippedSignature)
        }
        let lookup = NameLookup(
            name: name,
            answer: answer.map { .found($0.account) } ?? .absent,
            assurance: answer?.assurance ?? .unsigned,
            server: server,
            time: time.wallTime
        )
        remember(lookup)
        return lookup
    }

    // MARK: Accounts

    /// Finds out what an account is called, and asks that name back: what accounts are called is a hint until then.
    public nonisolated func whois(
        _ account: InfoHash,
        at server: NameServerAddress? = nil
    ) async throws(NameDirectoryError) -> AccountLookup {
        let question = AccountQuestion(account: account, servers: server.map { [$0] } ?? configuration.servers)
        let result = await reverses.join(question, cancelled: .failure(.cancelled)) { await self.ask(question) }
        return try result.get()
    }

    private func ask(_ question: AccountQuestion) async -> Result<AccountLookup, NameDirectoryError> {
        await firstAnswer(of: question.servers) { server async throws(NameServerFault) in
            try await askOne(question.account, at: server)
        }
    }

    private func askOne(
        _ account: InfoHash,
        at server: NameServerAddress
    ) async throws(NameServerFault) -> AccountLookup {
        guard let name = try await client.name(of: account, at: server) else {
            return AccountLookup(account: account, name: nil, server: server, time: time.wallTime)
        }
        let forward = try await askOne(name, at: server)
        guard forward.account == account else { throw .lie(.unconfirmedName(name)) }
        return AccountLookup(account: account, name: forward, server: server, time: forward.time)
    }

    // MARK: Registration

    /// Registers a name at the first server; the others only answer.
    ///
    /// May be repeated at any time: the same registration ends the same way. A success is looked at again at once, since
    /// a server that forgets what it confirmed is worse than one that refuses.
    ///
    /// - Parameters:
    ///   - registration: what is asked for.
    ///   - server: the server to ask, instead of the first one.
    /// - Returns: how it ended, or why nothing is decided.
    public nonisolated func register(
        _ registration: Registration,
        at server: NameServerAddress? = nil
    ) async -> RegistrationOutcome {
        let server = server ?? configuration.servers[0]
        let request = RegistrationRequest(registration: registration, server: server)
        return await registrations.join(request, cancelled: .undecided(.cancelled)) {
            await self.attempt(registration, at: server)
        }
    }

    private func attempt(_ registration: Registration, at server: NameServerAddress) async -> RegistrationOutcome {
        do throws(NameServerFault) {
            let before = try await askOne(registration.name, at: server)
            if let account = before.account {
                return account == registration.account ? .alreadyYours : .taken(by: account)
            }
        } catch {
            // A server that refuses the question may still take the registration.
            guard case .refused = error else { return .undecided(error) }
        }
        let outcome = await client.register(registration, at: server)
        guard outcome == .registered else { return outcome }
        cache.forget(registration.name)
        do throws(NameServerFault) {
            let after = try await askOne(registration.name, at: server)
            if after.account != registration.account { return .undecided(.lie(.registrationNotKept)) }
            if after.assurance == .unsigned, registration.evidence != nil {
                return .undecided(.lie(.strippedSignature))
            }
        } catch {
            if error.lie != nil { return .undecided(error) }
        }
        return .registered
    }

    // MARK: What is remembered

    func remember(_ lookup: NameLookup) {
        let entry = NameCache.Entry(
            account: lookup.account,
            assurance: lookup.assurance,
            server: lookup.server,
            time: lookup.time
        )
        cache.remember(entry, for: lookup.name)
        guard let file, lookup.account != nil, lookup.assurance >= .signed else { return }
        changed.insert(lookup.server)
        guard storing == nil else { return }
        // Ends after its pause, or with close().
        storing = Task { [weak self] in
            try? await Task.sleep(for: Self.storingPause)
            await self?.store(in: file)
        }
    }

    /// Stores what was learnt since the last time.
    public func close() async {
        storing?.cancel()
        if let file { await store(in: file) }
    }

    private func store(in file: NameCacheFile) async {
        storing = nil
        let (servers, cache) = (changed, cache)
        changed = []
        try? await NIOThreadPool.singleton.runIfActive {
            // What is lost here is only asked for again.
            for server in servers { try? file.store(server, of: cache) }
        }
    }

    /// The servers with those behind that failed a short while ago.
    private func trustworthyFirst(_ servers: [NameServerAddress]) -> [NameServerAddress] {
        let now = time.now
        suspects = suspects.filter { $0.value > now }
        return servers.filter { suspects[$0] == nil } + servers.filter { suspects[$0] != nil }
    }

    private func suspect(_ server: NameServerAddress) {
        suspects[server] = time.now + Self.suspicion
    }
}
