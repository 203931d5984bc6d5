import ArgumentParser
import Ethereum
import JSON
import Keys
import NameRegistry
import Runtime

/// Makes a council and leads it, proposal by proposal, to a registry that works.
struct CouncilDeploy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy",
        abstract: "Make a council with a storage, a logic and registrars, step by step.",
        discussion: """
            The account of the key gets all stakes. Each further step is a proposal, which is voted on with that account \
            and executed after the council's delay; so with the settings for real use this takes some days. Run the command \
            again with --council whenever it says so: it goes on where it stopped.
            """
    )

    @OptionGroup var chain: NodeOptionGroup
    @OptionGroup var keyOptions: CouncilKeyOptions

    @Option(help: "Go on with this council instead of making one.", transform: CouncilArguments.address)
    var council: Address?

    @Option(help: "The first block to look for the council's events in.")
    var fromBlock: UInt64 = 0

    @Option(
        help: "An account that shall register names; may be given several times.",
        transform: CouncilArguments.address
    )
    var registrar: [Address] = []

    @Flag(help: "Require that registrations are announced by a commitment first, as public chains need.")
    var requireCommitments = false

    @Option(help: "Wait at the end of a delay for at most so many seconds, instead of stopping.")
    var wait: UInt64 = 30

    @Option(
        help: "For how many seconds votes on a step are taken (default: the shortest time that the council allows)."
    )
    var duration: UInt64?

    @OptionGroup(title: "Settings of a new council, for ever") var settings: SettingsOptions

    struct SettingsOptions: ParsableArguments {
        @Option(help: "All stakes.", transform: CouncilArguments.amount)
        var total: UInt128 = 1_000_000

        @Option(help: "The stake that a proposer needs, at most half of all.", transform: CouncilArguments.amount)
        var threshold: UInt128 = 10_000

        @Option(help: "The shortest time in seconds that votes are taken for.")
        var minimumDuration: UInt64 = 86_400

        @Option(help: "The longest such time.")
        var maximumDuration: UInt64 = 14 * 86_400

        @Option(help: "Seconds between passing and execution.")
        var executionDelay: UInt64 = 2 * 86_400

        @Option(help: "Seconds in which a passed proposal can be executed.")
        var grace: UInt64 = 14 * 86_400

        @Option(help: "Seconds for which the proposer of a failed proposal cannot propose.")
        var cooldown: UInt64 = 30 * 86_400

        @Option(help: "Seconds in which only those who rejected a proposal may propose.")
        var priority: UInt64 = 3_600

        var settings: CouncilContract.Settings {
            var settings = CouncilContract.Settings()
            settings.total = total
            settings.threshold = threshold
            settings.minimumDuration = minimumDuration
            settings.maximumDuration = maximumDuration
            settings.executionDelay = executionDelay
            settings.grace = grace
            settings.cooldown = cooldown
            settings.priority = priority
            return settings
        }
    }

    func validate() throws {
        guard settings.settings.isValid else {
            throw ValidationError(
                """
                These settings are not possible: the threshold is at most half of all stakes, the shortest duration is not \
                above the longest, and neither durations nor the grace are zero.
                """
            )
        }
    }

    func run() async throws {
        let key = try keyOptions.key()
        try await chain.withNode { node in
            let council = try await existingCouncil(node, key)
            let reader = CouncilReader(node: node, council: council, firstBlock: fromBlock)
            let session = CouncilSession(reader: reader, isJSON: chain.json)
            // Each step ends in another state of the council; a storage, a logic and registrars need a few each.
            for _ in 0..<(16 + 8 * registrar.count) {
                if try await doNextStep(session, key) { return }
            }
            throw Failure(kind: .refused, sentence: "The council does not get further; see: apus council show")
        }
    }

    private func existingCouncil(_ node: EthereumNode, _ key: EthereumKey) async throws -> Address {
        if let council { return council }
        guard let head = try await node.block(.latest)?.header else {
            throw Failure(kind: .unavailable, sentence: "The chain has no block yet.")
        }
        let data = ContractVersion.suitable(for: head).deployCouncil(settings.settings)
        let receipt = try await TransactionSender(node: node, key: key).send(data, to: nil)
        guard let made = receipt.contract else {
            throw Failure(kind: .refused, sentence: "The council was sent, but the node tells no address of it.")
        }
        report(
            "The council is at \(made.checksummed); its account \(key.account.checksummed) holds all stakes.",
            step: "council",
            made
        )
        return made
    }

    /// Whether the goal is reached.
    private func doNextStep(_ session: CouncilSession, _ key: EthereumKey) async throws -> Bool {
        let situation = try await situation(session, key)
        let state = situation.state
        let proposer = CouncilProposer(session: session, key: key, document: .zero)
        let goal = CouncilSetup.Goal(registrars: registrar, requiresCommitments: requireCommitments)
        switch CouncilSetup.next(situation, goal: goal) {
        case .proposeStorage:
            let blueprint = try await proposer.deployBlueprint(on: state.head)
            let hash = try await proposer.codeHash(at: blueprint)
            try await propose(.addStorage(blueprint: blueprint, codeHash: hash), proposer, state)
        case .proposeLogic(let storage):
            let logic = try await proposer.deployLogic(for: storage, on: state.head)
            let hash = try await proposer.codeHash(at: logic)
            try await propose(.selectLogic(logic, codeHash: hash), proposer, state)
        case .propose(let action): try await propose(.configure(action), proposer, state)
        case .vote(let payload):
            let data = CouncilContract.vote(payload, support: true)
            try await session.send(data, by: key, done: "You voted yes.", json: ["step": "vote"])
        case .execute(let payload):
            try await session.execute(
                payload,
                dueFrom: state.current?.executableFrom ?? 0,
                by: key,
                done: "It was executed.",
                json: ["step": "execute"]
            )
        case .wait(let time): try await pause(until: time, session.council)
        case .awaitVotes:
            throw Failure(
                kind: .notYet,
                sentence:
                    "Others have to vote first. Then go on with: apus council deploy --council \(session.council.checksummed)"
            )
        case .blocked:
            throw Failure(
                kind: .refused,
                sentence: "Another proposal is in the way. Look at it with: apus council show"
            )
        case .done:
            finish(state)
            return true
        }
        return false
    }

    private func situation(_ session: CouncilSession, _ key: EthereumKey) async throws -> CouncilSetup.Situation {
        let state = try await session.reader.state()
        let current = try await session.review(state, acceptedCode: [])
        var vote: Bool?
        if let (proposal, _) = current {
            vote = try await session.node.ask(session.reader.council.vote(of: key.account, on: proposal.id))
        }
        var admitted: Set<Address> = []
        var requiresCommitments = false
        if !state.logic.isZero, let first = state.history.storages.first {
            let storage = StorageContract(first)
            for account in registrar
            where try await session.node.ask(storage.boolean(RegistryLayout.isRegistrar(account))) {
                admitted.insert(account)
            }
            requiresCommitments = try await session.node.ask(storage.integer(RegistryLayout.mode)) != 0
        }
        return CouncilSetup.Situation(
            state: state,
            now: SystemSeconds.now,
            isAcceptable: current?.review.isAcceptable ?? true,
            vote: vote,
            registrars: admitted,
            requiresCommitments: requiresCommitments
        )
    }

    private func propose(
        _ content: ProposalContent,
        _ proposer: CouncilProposer,
        _ state: CouncilState
    ) async throws {
        let shortest = state.settings?.minimumDuration ?? settings.minimumDuration
        _ = try await proposer.propose(
            content,
            state,
            duration: duration ?? max(shortest, min(3_600, state.settings?.maximumDuration ?? shortest))
        )
    }

    private func pause(until time: UInt64, _ council: Address) async throws {
        let now = SystemSeconds.now
        guard time > now, time - now <= wait else {
            throw Failure(
                kind: .notYet,
                sentence: """
                    The next step is possible from \(CouncilReport.time(time)) on. Go on then with: \
                    apus council deploy --council \(council.checksummed), and the same options
                    """
            )
        }
        if !chain.json { Output.note("Waiting until \(CouncilReport.time(time)) …") }
        try await Task.sleep(for: .seconds(time - now) + .milliseconds(500))
    }

    private func finish(_ state: CouncilState) {
        guard chain.json else {
            Output.say("The registry works. Its council, logic and storages:")
            CouncilReport.lines(state).forEach(Output.say)
            return
        }
        var members = CouncilReport.json(state)
        members["step"] = "done"
        Output.say(JSONValue.object(members).line)
    }

    private func report(_ sentence: String, step: String, _ address: Address) {
        Output.say(
            chain.json
                ? JSONValue.object(["step": .string(step), "address": .string(address.hex)]).line : sentence
        )
    }
}

/// The time of day in whole seconds since 1970.
enum SystemSeconds {
    static var now: UInt64 { UInt64(clamping: SystemTime().wallTime.seconds) }
}
