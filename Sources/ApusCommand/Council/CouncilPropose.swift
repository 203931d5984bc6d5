import ArgumentParser
import Ethereum
import JSON
import Keys
import NameRegistry

/// Opens a proposal.
struct CouncilPropose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "propose",
        abstract: "Propose something; your stake must reach the council's threshold.",
        discussion: "Nobody has voted yet when it is proposed, you neither.",
        subcommands: [
            AddStorage.self, SelectLogic.self, Freeze.self, Registrar.self, Mode.self, Import.self, Void.self,
            Reassign.self,
        ]
    )

    /// What each kind of proposal takes.
    struct Options: ParsableArguments {
        @OptionGroup var member: CouncilMemberOptions

        @Option(help: "For how many seconds votes are taken.")
        var duration: UInt64 = 7 * 86_400

        @Option(help: "The Keccak-256 hash of a text that explains the proposal.", transform: CouncilArguments.word)
        var document: Word = .zero

        @Option(
            help: "The hash of code that you know although it did not come with this program.",
            transform: CouncilArguments.word
        )
        var codeHash: [Word] = []

        func propose(_ content: ProposalContent) async throws {
            try await propose { _, _ in content }
        }

        /// Proposes what a closure makes of the council's present state.
        func propose(
            _ content: (CouncilProposer, CouncilState) async throws -> ProposalContent
        ) async throws {
            try await member.withSession { session, key in
                let proposer = CouncilProposer(session: session, key: key, document: document)
                let state = try await session.reader.state()
                guard state.current == nil else {
                    throw Failure(
                        kind: .refused,
                        sentence: "Another proposal is open. Vote on it, or wait for its end; see: apus council show"
                    )
                }
                let content = try await content(proposer, state)
                _ = try await proposer.propose(content, state, duration: duration, acceptedCode: codeHash)
            }
        }
    }

    struct AddStorage: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add-storage",
            abstract: "Add a storage.",
            discussion: "Without --blueprint, the blueprint that this program came with is put on the chain first."
        )

        @OptionGroup var options: Options

        @Option(help: "The address of a blueprint that is on the chain.", transform: CouncilArguments.address)
        var blueprint: Address?

        func run() async throws {
            try await options.propose { proposer, state in
                let blueprint =
                    if let blueprint { blueprint } else { try await proposer.deployBlueprint(on: state.head) }
                return .addStorage(
                    blueprint: blueprint,
                    codeHash: try await proposer.codeHash(at: blueprint),
                    document: options.document
                )
            }
        }
    }

    struct SelectLogic: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "select-logic",
            abstract: "Select the logic that writes the storages.",
            discussion: "Without an address, the logic that this program came with is put on the chain first."
        )

        @OptionGroup var options: Options

        @Argument(help: "The address of a logic that is on the chain.", transform: CouncilArguments.address)
        var logic: Address?

        @Option(help: "The storage of a new logic (default: the council's first).", transform: CouncilArguments.address)
        var storage: Address?

        func run() async throws {
            try await options.propose { proposer, state in
                guard let storage = storage ?? state.history.storages.first else {
                    throw Failure(
                        kind: .refused,
                        sentence: "The council has no storage yet. Begin with: apus council propose add-storage"
                    )
                }
                let logic =
                    if let logic { logic } else { try await proposer.deployLogic(for: storage, on: state.head) }
                return .selectLogic(
                    logic,
                    codeHash: try await proposer.codeHash(at: logic),
                    document: options.document
                )
            }
        }
    }

    struct Freeze: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "freeze",
            abstract: "Let nobody write until a logic is selected again; takes effect as soon as it has passed."
        )

        @OptionGroup var options: Options

        func run() async throws {
            try await options.propose(.freeze(document: options.document))
        }
    }

    struct Registrar: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "registrar",
            abstract: "Let an account, that of a name server, register names, or no longer."
        )

        @OptionGroup var options: Options

        @Argument(help: "The account.", transform: CouncilArguments.address)
        var account: Address

        @Flag(help: "Take the right away.")
        var remove = false

        func run() async throws {
            try await options.propose(.configure(.registrar(account, isAdmitted: !remove), document: options.document))
        }
    }

    struct Mode: AsyncParsableCommand {
        enum Choice: String, ExpressibleByArgument, CaseIterable {
            case direct
            case commitments
        }

        static let configuration = CommandConfiguration(
            commandName: "mode",
            abstract: "Require that registrations are announced by a commitment first, or not."
        )

        @OptionGroup var options: Options

        @Argument(help: "“direct” or “commitments”; chains with many registrars need the second.")
        var mode: Choice

        func run() async throws {
            try await options.propose(.configure(.requireCommitments(mode == .commitments), document: options.document))
        }
    }

    struct Import: AsyncParsableCommand {
        enum Choice: String, ExpressibleByArgument, CaseIterable {
            case open
            case close
        }

        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Let registrars import names from another store, or no longer."
        )

        @OptionGroup var options: Options

        @Argument(help: "“open” or “close”.")
        var choice: Choice

        func run() async throws {
            try await options.propose(.configure(.openImport(choice == .open), document: options.document))
        }
    }

    struct Void: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "void",
            abstract: "Withdraw a name for ever, after a fraud."
        )

        @OptionGroup var options: Options

        @Argument(help: "The name.", transform: CouncilArguments.name)
        var name: Name

        func run() async throws {
            try await options.propose(.configure(.void(name), document: options.document))
        }
    }

    struct Reassign: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reassign",
            abstract: "Take stake from a member whose key is lost or abused, and give it to another."
        )

        @OptionGroup var options: Options

        @Argument(help: "From whom.", transform: CouncilArguments.address)
        var source: Address

        @Argument(help: "To whom.", transform: CouncilArguments.address)
        var receiver: Address

        @Argument(help: "How much at most.", transform: CouncilArguments.amount)
        var amount: UInt128

        func run() async throws {
            try await options.propose(.reassign(amount, from: source, to: receiver, document: options.document))
        }
    }
}
