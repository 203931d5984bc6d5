import ArgumentParser
import Ethereum
import JSON
import NameRegistry

/// Gives stake to somebody.
struct CouncilDelegate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delegate",
        abstract: "Give some of your stake to somebody, who becomes a member.",
        discussion: "You cannot take it back; only a proposal to reassign stake can."
    )

    @OptionGroup var options: CouncilMemberOptions

    @Argument(help: "Who gets it.", transform: CouncilArguments.address)
    var member: Address

    @Argument(help: "How much.", transform: CouncilArguments.amount)
    var amount: UInt128

    func run() async throws {
        try await options.send(
            CouncilContract.delegate(amount, to: member),
            done: "\(member.checksummed) has \(amount) more, and you have \(amount) less.",
            json: ["to": .string(member.hex), "amount": CouncilReport.number(amount)]
        )
    }
}

/// Votes on the current proposal.
struct CouncilVote: AsyncParsableCommand {
    enum Choice: String, ExpressibleByArgument, CaseIterable {
        case yes
        case no
    }

    static let configuration = CommandConfiguration(
        commandName: "vote",
        abstract: "Show the current proposal and vote on it with all your stake.",
        discussion: """
            Votes are final. They name the hash of the content, so that nobody can exchange the proposal between your \
            look and your vote; with --payload you vote only on what you have seen before.
            """
    )

    @OptionGroup var options: CouncilMemberOptions

    @Argument(help: "“yes” or “no”.")
    var choice: Choice

    @Option(help: "Vote only if the proposal has this hash.", transform: CouncilArguments.word)
    var payload: Word?

    @Option(
        help: "The hash of code that you know although it did not come with this program.",
        transform: CouncilArguments.word
    )
    var codeHash: [Word] = []

    func run() async throws {
        try await options.withSession { session, key in
            let proposal = try await session.acceptedProposal(codeHash)
            guard payload == nil || payload == proposal.payload else {
                throw Failure(kind: .refused, sentence: "The current proposal has another hash than the one you gave.")
            }
            try await session.send(
                CouncilContract.vote(proposal.payload, support: choice == .yes),
                by: key,
                done: "You voted \(choice.rawValue) on proposal \(proposal.id).",
                json: [
                    "proposal": CouncilReport.number(proposal.id), "payload": .string(proposal.payload.hex),
                    "support": .boolean(choice == .yes),
                ]
            )
        }
    }
}

/// Executes the passed proposal.
struct CouncilExecute: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "execute",
        abstract: "Show the passed proposal and execute it; anybody may."
    )

    @OptionGroup var options: CouncilMemberOptions

    @Option(
        help: "The hash of code that you know although it did not come with this program.",
        transform: CouncilArguments.word
    )
    var codeHash: [Word] = []

    func run() async throws {
        try await options.withSession { session, key in
            let proposal = try await session.acceptedProposal(codeHash)
            guard let from = proposal.executableFrom else {
                throw Failure(kind: .notYet, sentence: "Proposal \(proposal.id) has not passed, so it is not executed.")
            }
            guard from <= max(SystemSeconds.now, try await session.newestTime()) else {
                throw Failure(
                    kind: .notYet,
                    sentence: "Proposal \(proposal.id) can be executed from \(CouncilReport.time(from)) on."
                )
            }
            try await session.execute(
                proposal.payload,
                dueFrom: from,
                by: key,
                done: "Proposal \(proposal.id) was executed.",
                json: ["proposal": CouncilReport.number(proposal.id), "payload": .string(proposal.payload.hex)]
            )
        }
    }
}

/// Takes back one's own proposal.
struct CouncilWithdraw: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw",
        abstract: "Take back your proposal, while it has not passed.",
        discussion: "You cannot propose anything for a while afterwards."
    )

    @OptionGroup var options: CouncilMemberOptions

    func run() async throws {
        try await options.send(CouncilContract.withdraw(), done: "Your proposal is withdrawn.")
    }
}

/// Frees the place of an expired proposal.
struct CouncilClose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close",
        abstract: "End a proposal that has expired; anybody may."
    )

    @OptionGroup var options: CouncilMemberOptions

    func run() async throws {
        try await options.send(CouncilContract.close(), done: "The expired proposal is closed.")
    }
}
