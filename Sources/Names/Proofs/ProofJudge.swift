import Ethereum
import Keys
import NameRegistry
import Runtime

/// Establishes what a server's answer with proof proves: asks whoever must be asked, and remembers what was accepted.
struct ProofJudge: Sendable {
    let verifier: ProofVerifier
    let accepted: AcceptedBlocks
    let witnesses: NameDirectory.Witnesses
    let time: any TimeSource

    private var trust: NameTrust { verifier.trust }
    /// Blocks with the hashes of their transactions are all that nodes are asked for.
    private static let answerLimit = 4 << 20

    /// Asks the nodes that the trust settings name; nobody, where signers are trusted.
    static func nodes(of trust: NameTrust) -> NameDirectory.Witnesses {
        guard case .quorum(let rule) = trust.rule else { return { _, _ in QuorumTrust.Outcome() } }
        let nodes = rule.endpoints.map { url in
            let transport = HTTPNodeTransport(
                url: url,
                client: HTTPNameServerTransport.client,
                answerLimit: answerLimit
            )
            return EthereumNode(endpoints: [NodeEndpoint(name: url, transport: transport)], chainID: trust.chain)
        }
        return { number, hash in await QuorumTrust.ask(nodes, number: number, hash: hash) }
    }

    /// The highest block that was accepted so far, to be asked for before a server is.
    func highest() async -> AcceptedBlocks.Block? {
        await accepted.highest(trust)
    }

    func proved(
        _ answer: ProofAnswer,
        of name: Name,
        since earlier: AcceptedBlocks.Block?
    ) async throws(NameServerFault) -> ProvedName {
        let header = try await trusted(answer, since: earlier)
        let proved = try verifier.proved(answer, of: name, in: header)
        try await remember(header)
        return proved
    }

    func proved(
        _ answer: ProofAnswer,
        of account: InfoHash,
        since earlier: AcceptedBlocks.Block?
    ) async throws(NameServerFault) -> ProvedAccount {
        let header = try await trusted(answer, since: earlier)
        let proved = try verifier.proved(answer, of: account, in: header)
        try await remember(header)
        return proved
    }

    private func trusted(
        _ answer: ProofAnswer,
        since earlier: AcceptedBlocks.Block?
    ) async throws(NameServerFault) -> BlockHeader {
        let highest = await highest()
        let now = time.wallTime
        let header = try verifier.header(of: answer, now: now, earlier: earlier, highest: highest)
        switch trust.rule {
        case .clique(let clique): try verifier.check(header, of: answer, against: clique, now: now)
        case .quorum(let rule):
            let outcome = await witnesses(header.number, header.hash)
            try verifier.check(outcome, needed: earlier == nil ? rule.neededAtFirst : rule.needed)
        }
        return header
    }

    /// A block counts as accepted only once a whole answer was proved with it.
    private func remember(_ header: BlockHeader) async throws(NameServerFault) {
        do throws(FileError) {
            try await accepted.accept(AcceptedBlocks.Block(number: header.number, hash: header.hash), of: trust)
        } catch {
            throw .unverifiable("which block was accepted could not be stored (\(error))")
        }
    }
}
