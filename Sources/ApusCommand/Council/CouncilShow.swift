import ArgumentParser
import Ethereum
import JSON
import NameRegistry

/// The members, the logic, the storages and the current proposal.
struct CouncilShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show members and stakes, the logic, the storages and the current proposal.",
        discussion: "Members and stakes are rebuilt from all events of the council and compared with what it answers."
    )

    @OptionGroup var options: CouncilOptions

    @Option(
        help: "The hash of code that you know although it did not come with this program.",
        transform: CouncilArguments.word
    )
    var codeHash: [Word] = []

    func run() async throws {
        try await options.withCouncil { reader in
            let session = CouncilSession(reader: reader, isJSON: options.chain.json)
            let state = try await reader.state()
            let current = try await session.review(state, acceptedCode: codeHash)
            guard options.chain.json else {
                CouncilReport.lines(state).forEach(Output.say)
                if let (proposal, review) = current {
                    CouncilReport.lines(review, of: proposal, in: state).forEach(Output.say)
                } else {
                    Output.say("There is no proposal now.")
                }
                return
            }
            var members = CouncilReport.json(state)
            members["proposal"] = current.map { CouncilReport.json($0.review, of: $0.proposal) } ?? .null
            Output.say(JSONValue.object(members).line)
        }
    }
}

/// What was proposed so far.
struct CouncilHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "List all proposals with their votes and what became of them."
    )

    @OptionGroup var options: CouncilOptions

    func run() async throws {
        try await options.withCouncil { reader in
            let proposals = try await reader.state().history.proposals
            guard options.chain.json else {
                if proposals.isEmpty { Output.say("Nothing was proposed yet.") }
                for entry in proposals {
                    Output.say(CouncilReport.line(entry))
                    for vote in entry.votes {
                        Output.say("    \(vote.voter.checksummed)  \(vote.support ? "yes" : "no")  \(vote.power)")
                    }
                }
                return
            }
            Output.say(JSONValue.object(["proposals": .array(proposals.map(CouncilReport.json))]).line)
        }
    }
}
