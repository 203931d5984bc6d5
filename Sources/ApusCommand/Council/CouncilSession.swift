import Ethereum
import JSON
import Keys
import NameRegistry
import Runtime

/// One command's talk with a council: reads it, shows what is proposed, sends what the key's account does.
struct CouncilSession {
    let reader: CouncilReader
    let isJSON: Bool

    var node: EthereumNode { reader.node }
    var council: Address { reader.council.address }

    /// The current proposal with its review.
    func review(
        _ state: CouncilState,
        acceptedCode: [Word]
    ) async throws -> (proposal: CurrentProposal, review: ProposalReview)? {
        guard let facts = try await reader.facts(state, acceptedCode: Set(acceptedCode)) else { return nil }
        return (facts.proposal, ProposalReview(facts))
    }

    /// Shows the current proposal; throws when there is none, or when it cannot be told in full.
    func acceptedProposal(_ acceptedCode: [Word]) async throws -> CurrentProposal {
        let state = try await reader.state()
        guard let (proposal, review) = try await review(state, acceptedCode: acceptedCode) else {
            throw Failure(kind: .notFound, sentence: "There is no proposal now.")
        }
        if !isJSON { CouncilReport.lines(review, of: proposal, in: state).forEach(Output.say) }
        try check(review)
        return proposal
    }

    /// Throws when a proposal cannot be told in full.
    func check(_ review: ProposalReview) throws {
        guard !review.isAcceptable else { return }
        var sentence = "Nothing was done, since what this proposal does cannot be told in full: "
        sentence += review.objections.map(\.description).joined(separator: " ")
        for case .unknownCode(let hash) in review.objections {
            sentence += " If you know this code, say so with --code-hash \(hash)"
        }
        throw Failure(kind: .notReviewable, sentence: sentence)
    }

    /// Sends to the council and says what was done.
    func send(_ data: [UInt8], by key: EthereumKey, done sentence: String, json: [String: JSONValue] = [:]) async throws
    {
        let receipt = try await TransactionSender(node: node, key: key).send(data, to: council)
        say(sentence, json, receipt)
    }

    /// How far the newest block may be behind the clock.
    private static let longestBlockTime = Duration.seconds(60)

    /// Executes a proposal that is due by the clock, once it is due by the newest block too, at which nodes try it first.
    func execute(
        _ payload: Word,
        dueFrom from: UInt64,
        by key: EthereumKey,
        done sentence: String,
        json: [String: JSONValue]
    ) async throws {
        let time = SystemTime()
        let deadline = time.now + Self.longestBlockTime
        while true {
            do {
                return try await send(CouncilContract.execute(payload), by: key, done: sentence, json: json)
            } catch let error as SendingError {
                guard case .node(.refused(let refusal)) = error, refusal.revertReason == "not due",
                    try await newestTime() < from, time.now < deadline
                else { throw error }
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// The time of the newest block, in seconds since 1970.
    func newestTime() async throws -> UInt64 {
        try await node.block(.latest)?.header.timestamp ?? 0
    }

    func say(_ sentence: String, _ json: [String: JSONValue], _ receipt: Receipt) {
        guard isJSON else {
            Output.say("\(sentence) (block \(receipt.blockNumber), transaction \(receipt.transaction))")
            return
        }
        var members = json
        members["transaction"] = .string(receipt.transaction.hex)
        members["block"] = CouncilReport.number(receipt.blockNumber)
        Output.say(JSONValue.object(members).line)
    }
}
