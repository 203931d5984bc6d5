public import Ethereum

/// What comes next on the way to a council whose registry works, step by step.
///
/// Each look at the chain gives one step, so that the way can be left and gone on with at any time: between the vote on a
/// proposal and its execution there may be days.
public enum CouncilSetup {
    /// Where the way leads.
    public struct Goal: Hashable, Sendable {
        public var registrars: [Address]
        public var requiresCommitments: Bool

        public init(registrars: [Address] = [], requiresCommitments: Bool = false) {
            self.registrars = registrars
            self.requiresCommitments = requiresCommitments
        }
    }

    public enum Step: Hashable, Sendable {
        /// Make a blueprint, then propose a storage of it.
        case proposeStorage
        /// Make a logic for the storage, then propose to select it.
        case proposeLogic(storage: Address)
        case propose(LogicAction)
        case vote(Word)
        /// In seconds since 1970.
        case wait(until: UInt64)
        case execute(Word)
        /// Others have to vote first.
        case awaitVotes
        /// A proposal that is none of these steps is in the way.
        case blocked
        case done
    }

    /// What is asked of the chain beside the council's state.
    public struct Situation: Sendable {
        public var state: CouncilState
        /// In seconds since 1970.
        public var now: UInt64
        /// Whether the current proposal was reviewed without objection.
        public var isAcceptable: Bool
        /// How the one who sets up voted on it.
        public var vote: Bool?
        /// Those of the goal's registrars who may register already.
        public var registrars: Set<Address>
        public var requiresCommitments: Bool

        public init(
            state: CouncilState,
            now: UInt64,
            isAcceptable: Bool,
            vote: Bool?,
            registrars: Set<Address>,
            requiresCommitments: Bool
        ) {
            self.state = state
            self.now = now
            self.isAcceptable = isAcceptable
            self.vote = vote
            self.registrars = registrars
            self.requiresCommitments = requiresCommitments
        }
    }

    public static func next(_ situation: Situation, goal: Goal) -> Step {
        let needed = needed(situation, goal: goal)
        guard let current = situation.state.current else { return needed }
        guard situation.isAcceptable, answers(needed, current) else { return .blocked }
        if let from = current.executableFrom {
            return from <= max(situation.state.head.timestamp, situation.now)
                ? .execute(current.payload) : .wait(until: from)
        }
        switch situation.vote {
        case nil: return .vote(current.payload)
        case true?: return .awaitVotes
        case false?: return .blocked
        }
    }

    private static func needed(_ situation: Situation, goal: Goal) -> Step {
        guard let storage = situation.state.history.storages.first else { return .proposeStorage }
        guard !situation.state.logic.isZero else { return .proposeLogic(storage: storage) }
        if let missing = goal.registrars.first(where: { !situation.registrars.contains($0) }) {
            return .propose(.registrar(missing, isAdmitted: true))
        }
        if goal.requiresCommitments, !situation.requiresCommitments { return .propose(.requireCommitments(true)) }
        return .done
    }

    /// Whether a proposal is the one that the next step would make.
    private static func answers(_ step: Step, _ proposal: CurrentProposal) -> Bool {
        guard let content = proposal.content(document: .zero) else { return false }
        switch step {
        case .proposeStorage: return content.kind == .addStorage
        case .proposeLogic: return content.kind == .selectLogic && !content.target.isZero
        case .propose(let action):
            return content.kind == .configure
                && LogicAction(key: content.key, target: content.target, value: content.value) == action
        case .vote, .wait, .execute, .awaitVotes, .blocked, .done: return false
        }
    }
}
