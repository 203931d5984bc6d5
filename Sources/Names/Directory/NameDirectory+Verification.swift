public import Keys
public import NameRegistry
import Runtime

/// Look-ups that leave no server its word where it can be checked.
extension NameDirectory {
    /// Finds out who has a name as surely as the settings allow.
    ///
    /// Every server is asked anew, for its plain answer and, with trust settings, for a proof. What one says must agree with
    /// what it proves and with what the others say; who was caught is among the problems. Without trust settings nothing is
    /// proved, but servers that contradict each other are noticed.
    public nonisolated func verify(
        _ name: Name,
        at server: NameServerAddress? = nil
    ) async throws(NameDirectoryError) -> NameLookup {
        let question = Question(name: name, servers: server.map { [$0] } ?? configuration.servers)
        let result = await verifications.join(question, cancelled: .failure(.cancelled)) {
            await self.examine(question)
        }
        return try result.get()
    }

    private nonisolated func examine(_ question: Question) async -> LookupResult {
        // Of servers that are asked at once, the one that lags behind by a block does not go back.
        let earlier = await judge?.highest()
        let answers = await withTaskGroup(of: (Int, Result<NameLookup, NameServerFault>).self) { group in
            for (index, server) in question.servers.enumerated() {
                group.addTask { (index, await self.examined(question.name, at: server, since: earlier)) }
            }
            return await group.reduce(into: [Int: Result<NameLookup, NameServerFault>]()) { $0[$1.0] = $1.1 }
        }
        var lookups: [NameLookup] = []
        var problems: [NameServerProblem] = []
        for (index, server) in question.servers.enumerated() {
            switch answers[index] {
            case .success(let lookup): lookups.append(lookup)
            case .failure(.cancelled), nil: return .failure(.cancelled)
            case .failure(let fault): problems.append(NameServerProblem(server, fault))
            }
        }
        return await settle(lookups, problems)
    }

    // Not in the closure above: Swift 6.3 builds a wrong tuple there when a typed `catch` returns it, if it optimizes.
    private func examined(
        _ name: Name,
        at server: NameServerAddress,
        since earlier: AcceptedBlocks.Block?
    ) async -> Result<NameLookup, NameServerFault> {
        do throws(NameServerFault) {
            return .success(try await examine(name, at: server, since: earlier))
        } catch {
            return .failure(error)
        }
    }

    /// One answer out of several.
    private func settle(_ lookups: [NameLookup], _ problems: [NameServerProblem]) -> LookupResult {
        var problems = problems
        // Of two proved answers the one of the newer block holds: names may move from block to block.
        let proved = lookups.filter { $0.block != nil }.max { ($0.block?.number ?? 0) < ($1.block?.number ?? 0) }
        guard var best = proved ?? lookups.max(by: { $0.assurance < $1.assurance }) else {
            return .failure(.failed(problems))
        }
        let others = lookups.filter { $0.answer != best.answer && ($0.block == nil || $0.block == best.block) }
        problems += others.map { NameServerProblem($0.server, .lie(.contradiction(best.server))) }
        // Nobody can tell which of two unproved answers is the lie.
        guard others.isEmpty || proved != nil else { return .failure(.failed(problems)) }
        best.problems = problems
        remember(best)
        return .success(best)
    }

    /// What one server says, compared with what it proves.
    private func examine(
        _ name: Name,
        at server: NameServerAddress,
        since earlier: AcceptedBlocks.Block?
    ) async throws(NameServerFault) -> NameLookup {
        let answer = try await client.name(name, at: server)
        let plain = try judge(answer, of: name, at: server)
        guard let judge else { return plain }
        let proved: ProvedName
        do throws(NameServerFault) {
            proved = try await judge.proved(try await client.proof(of: name, at: server), of: name, since: earlier)
        } catch {
            // A denial without proof is worth nothing here.
            guard case .refused(status: 404, _) = error, answer == nil else { throw error }
            throw .lie(.absenceWithoutProof)
        }
        return try compare(plain, answer, proved)
    }

    /// Finds out what an account is called, with proof where the settings allow one.
    ///
    /// The first server whose answer holds counts.
    public nonisolated func verify(_ account: InfoHash) async throws(NameDirectoryError) -> AccountLookup {
        guard let judge else { return try await whois(account) }
        return try await prove(account, by: judge).get()
    }

    private func prove(_ account: InfoHash, by judge: ProofJudge) async -> Result<AccountLookup, NameDirectoryError> {
        let earlier = await judge.highest()
        return await firstAnswer(of: configuration.servers) { server async throws(NameServerFault) in
            let answer = try await client.proof(of: account, at: server)
            let proved = try await judge.proved(answer, of: account, since: earlier)
            let name = proved.name.map { proved in
                NameLookup(
                    name: proved.name,
                    answer: proved.answer,
                    assurance: proved.isSigned ? .proved : .unsigned,
                    server: server,
                    time: time.wallTime,
                    block: proved.block
                )
            }
            return AccountLookup(
                account: account,
                name: name,
                server: server,
                time: time.wallTime,
                block: proved.block
            )
        }
    }

    private func compare(
        _ plain: NameLookup,
        _ answer: NameAnswer?,
        _ proved: ProvedName
    ) throws(NameServerFault) -> NameLookup {
        switch (proved.answer, plain.account) {
        case (.found(let account), let told?):
            guard account == told else { throw .lie(.proofContradictsAnswer("the account is \(account)")) }
            if proved.isSigned, answer?.evidence == nil { throw .lie(.strippedSignature) }
        case (.found(let account), nil): throw .lie(.proofContradictsAnswer("\(account) has the name"))
        case (.absent, .some) where answer?.isPending == true:
            // New, and not in the chain yet: as good as what was signed, and no better.
            return plain
        case (.absent, .some): throw .lie(.proofContradictsAnswer("nobody has the name"))
        case (.withdrawn, .some): throw .lie(.proofContradictsAnswer("the name was withdrawn"))
        case (.absent, nil), (.withdrawn, nil): break
        }
        let isSure: Bool
        if case .found = proved.answer { isSure = proved.isSigned } else { isSure = true }
        return NameLookup(
            name: plain.name,
            answer: proved.answer,
            assurance: isSure ? .proved : .unsigned,
            server: plain.server,
            time: plain.time,
            block: proved.block
        )
    }
}
