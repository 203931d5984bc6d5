public import Ethereum

/// What a proposal would do, in words, and whether that is all that it would do.
///
/// Source: names contracts, "Council".
public struct ProposalReview: Hashable, Sendable {
    /// What has to be known about the chain.
    public struct Facts: Sendable {
        public var chain: UInt64
        public var council: Address
        public var proposal: CurrentProposal
        /// The event that made it, with the document's hash; `nil` when it was not found.
        public var event: CouncilEvent.ProposedEvent?
        /// The code at the target.
        public var targetCode: [UInt8]
        public var logic: Address
        /// The code of the selected logic.
        public var logicCode: [UInt8]
        public var storages: [Address]
        public var stakes: [Address: UInt128]
        /// Hashes of code that the person accepts although it is not known.
        public var acceptedCode: Set<Word>

        public init(
            chain: UInt64,
            council: Address,
            proposal: CurrentProposal,
            event: CouncilEvent.ProposedEvent?,
            targetCode: [UInt8],
            logic: Address,
            logicCode: [UInt8],
            storages: [Address],
            stakes: [Address: UInt128],
            acceptedCode: Set<Word> = []
        ) {
            self.chain = chain
            self.council = council
            self.proposal = proposal
            self.event = event
            self.targetCode = targetCode
            self.logic = logic
            self.logicCode = logicCode
            self.storages = storages
            self.stakes = stakes
            self.acceptedCode = acceptedCode
        }
    }

    /// Why nobody should vote on it with this program.
    public enum Objection: Hashable, Sendable {
        case unknownKind
        /// An action of the logic that this version does not know.
        case unknownAction
        /// The event that made it is not there, so that the explained document is not known.
        case eventMissing
        /// The event tells other contents than the council holds.
        case eventDiffers
        /// The hash that votes name is not that of the content.
        case otherPayload(recomputed: Word)
        /// The code at the target is not that whose hash the proposal names.
        case otherCode(atTarget: Word)
        /// Code that did not come with this program.
        case unknownCode(Word)
        /// The logic was made for another council or for a storage that this one does not have.
        case foreignLogic
        /// Numbers or addresses where the kind has none.
        case unusedArguments
    }

    /// One sentence for what happens when it is executed.
    public let effect: String
    /// More sentences: what the code is, what there was before.
    public let details: [String]
    public let objections: [Objection]
    /// The hash that votes name, computed here; `nil` for an unknown kind.
    public let payload: Word?

    public var isAcceptable: Bool { objections.isEmpty }

    public init(_ facts: Facts) {
        var writer = ReviewWriter(facts)
        writer.write()
        effect = writer.effect
        details = writer.details
        objections = writer.objections
        payload = writer.payload
    }
}

extension ProposalReview.Facts {
    /// The facts for something that is not proposed yet, as if it were the proposal with a number.
    public init(
        planned content: ProposalContent,
        id: UInt64,
        proposer: Address,
        in state: CouncilState,
        targetCode: [UInt8],
        logicCode: [UInt8],
        acceptedCode: Set<Word> = []
    ) {
        let payload = content.payload(chain: state.chain, council: state.council, id: id)
        self.init(
            chain: state.chain,
            council: state.council,
            proposal: CurrentProposal(
                id: id,
                proposer: proposer,
                kind: Word(content.kind.rawValue),
                target: content.target,
                other: content.other,
                key: content.key,
                value: content.value,
                expires: 0,
                executableFrom: nil,
                yes: 0,
                no: 0,
                payload: payload
            ),
            event: CouncilEvent.ProposedEvent(
                id: id,
                proposer: proposer,
                payload: payload,
                kind: Word(content.kind.rawValue),
                target: content.target,
                other: content.other,
                key: content.key,
                value: content.value,
                expires: 0,
                document: content.document
            ),
            targetCode: targetCode,
            logic: state.logic,
            logicCode: logicCode,
            storages: state.history.storages,
            stakes: state.history.stakes,
            acceptedCode: acceptedCode
        )
    }
}

/// Writes the sentences and collects objections on the way.
private struct ReviewWriter {
    let facts: ProposalReview.Facts
    var effect = "This version does not know what this proposal would do."
    var details: [String] = []
    var objections: [ProposalReview.Objection] = []
    var payload: Word?

    init(_ facts: ProposalReview.Facts) {
        self.facts = facts
    }

    mutating func write() {
        let proposal = facts.proposal
        if facts.event == nil { objections.append(.eventMissing) }
        guard let content = proposal.content(document: facts.event?.document ?? .zero) else {
            objections.append(.unknownKind)
            return
        }
        if let event = facts.event, event.content != content || event.payload != proposal.payload {
            objections.append(.eventDiffers)
        }
        let recomputed = content.payload(chain: facts.chain, council: facts.council, id: proposal.id)
        payload = recomputed
        if recomputed != proposal.payload { objections.append(.otherPayload(recomputed: recomputed)) }
        switch content.kind {
        case .addStorage: addStorage(content)
        case .selectLogic: selectLogic(content)
        case .configure: configure(content)
        case .reassign: reassign(content)
        }
        if !content.document.isZero {
            details.append("Its proposer points to a text whose Keccak-256 hash is \(content.document).")
        }
    }

    private mutating func addStorage(_ content: ProposalContent) {
        effect = """
            Adds a storage: the council makes a new one from the blueprint at \(content.target.checksummed), owns it, and \
            lets \(facts.logic.isZero ? "nobody" : "the logic \(facts.logic.checksummed)") write it.
            """
        checkUnused(content.other.isZero && content.value.isZero)
        let hash = checkCode(content)
        if KnownCode(facts.targetCode) == .storageBlueprint {
            details.append("The blueprint is the storage that this program came with (code hash \(hash)).")
        } else {
            unknown(hash, "The blueprint")
        }
        details.append("Storages that the council has now: \(facts.storages.count).")
    }

    private mutating func selectLogic(_ content: ProposalContent) {
        checkUnused(content.other.isZero && content.value.isZero)
        guard !content.target.isZero else {
            checkUnused(content.key.isZero)
            effect = "Freezes the registry: from then on nobody can register, move or withdraw names."
            details.append("A freeze is executed as soon as it has passed, without delay. Look-ups go on.")
            return
        }
        effect = """
            Selects the logic \(content.target.checksummed): from then on it alone writes the storages of the council, \
            of which there \(facts.storages.count == 1 ? "is 1" : "are \(facts.storages.count)").
            """
        let hash = checkCode(content)
        if case .logic(let council, let storage) = KnownCode(facts.targetCode) {
            details.append(
                """
                It is the registrar logic that this program came with (code hash \(hash)), for the council \
                \(council.checksummed) and the storage \(storage.checksummed).
                """
            )
            if council != facts.council || !facts.storages.contains(storage) { objections.append(.foreignLogic) }
        } else {
            unknown(hash, "The logic")
        }
        details.append(
            facts.logic.isZero ? "No logic is selected now." : "The logic now is \(facts.logic.checksummed)."
        )
    }

    private mutating func configure(_ content: ProposalContent) {
        checkUnused(content.other.isZero)
        let hash = Word(hashing: facts.logicCode)
        if case .logic = KnownCode(facts.logicCode) {
            details.append("The logic \(facts.logic.checksummed) is the one that this program came with.")
        } else {
            unknown(hash, "The selected logic")
        }
        guard let action = LogicAction(key: content.key, target: content.target, value: content.value) else {
            effect = "Sets something in the logic that this version does not know."
            objections.append(.unknownAction)
            return
        }
        effect =
            switch action {
            case .registrar(let address, true): "Lets \(address.checksummed) register names."
            case .registrar(let address, false): "Takes the right to register names from \(address.checksummed)."
            case .requireCommitments(true): "Requires that registrations are announced by a commitment first."
            case .requireCommitments(false): "Lets registrars register names without a commitment."
            case .openImport(true): "Lets registrars import names from another store."
            case .openImport(false): "Ends the import of names from another store."
            case .void(let name): "Withdraws the name “\(name)” for ever; nobody can register it again."
            }
    }

    private mutating func reassign(_ content: ProposalContent) {
        checkUnused(content.key.isZero)
        guard let amount = content.value.wideInteger else {
            objections.append(.unusedArguments)
            return
        }
        let held = facts.stakes[content.target, default: 0]
        effect = """
            Takes up to \(amount) of the stake of \(content.target.checksummed), without its holder's consent, and gives \
            it to \(content.other.checksummed).
            """
        details.append("\(content.target.checksummed) holds \(held) now, \(min(amount, held)) of it would move.")
        details.append("\(content.other.checksummed) holds \(facts.stakes[content.other, default: 0]) now.")
    }

    private mutating func checkUnused(_ isUnused: Bool) {
        if !isUnused, !objections.contains(.unusedArguments) { objections.append(.unusedArguments) }
    }

    /// The hash of the target's code, which must be the proposal's key.
    private mutating func checkCode(_ content: ProposalContent) -> Word {
        let hash = Word(hashing: facts.targetCode)
        if facts.targetCode.isEmpty || hash != content.key { objections.append(.otherCode(atTarget: hash)) }
        return hash
    }

    private mutating func unknown(_ hash: Word, _ subject: String) {
        if facts.acceptedCode.contains(hash) {
            details.append("\(subject) is not known to this program; you accept its code by its hash \(hash).")
        } else {
            objections.append(.unknownCode(hash))
        }
    }
}

extension ProposalReview.Objection: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownKind: "It is of a kind that this version does not know."
        case .unknownAction: "It sets something that this version does not know."
        case .eventMissing: "The event that made it was not found, so its content cannot be confirmed."
        case .eventDiffers: "The event that made it tells another content than the council holds."
        case .otherPayload(let recomputed):
            "The hash that votes name is not that of the content, which is \(recomputed)."
        case .otherCode(let hash): "The code at its target has the hash \(hash), which is not the one that it names."
        case .unknownCode(let hash):
            "It rests on code with the hash \(hash), which did not come with this program."
        case .foreignLogic: "The logic was made for another council, or for a storage that this council does not have."
        case .unusedArguments: "It carries values that its kind does not use."
        }
    }

    /// A short name for programs.
    public var code: String {
        switch self {
        case .unknownKind: "unknownKind"
        case .unknownAction: "unknownAction"
        case .eventMissing: "eventMissing"
        case .eventDiffers: "eventDiffers"
        case .otherPayload: "otherPayload"
        case .otherCode: "otherCode"
        case .unknownCode: "unknownCode"
        case .foreignLogic: "foreignLogic"
        case .unusedArguments: "unusedArguments"
        }
    }
}
