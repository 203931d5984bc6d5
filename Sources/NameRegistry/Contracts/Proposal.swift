public import Ethereum

/// What a proposal would do.
///
/// The council knows no other kinds, and no arbitrary calls. Source: names contracts, "Council".
public struct ProposalContent: Hashable, Sendable {
    public enum Kind: UInt64, Sendable, CaseIterable {
        case addStorage = 1
        case selectLogic = 2
        case configure = 3
        case reassign = 4
    }

    public let kind: Kind
    public let target: Address
    public let other: Address
    public let key: Word
    public let value: Word
    /// The hash of a text that explains the proposal; it has no effect.
    public let document: Word

    public init(kind: Kind, target: Address, other: Address, key: Word, value: Word, document: Word) {
        self.kind = kind
        self.target = target
        self.other = other
        self.key = key
        self.value = value
        self.document = document
    }

    /// Makes a storage of a blueprint, which the council will own.
    public static func addStorage(blueprint: Address, codeHash: Word, document: Word = .zero) -> ProposalContent {
        ProposalContent(
            kind: .addStorage,
            target: blueprint,
            other: .zero,
            key: codeHash,
            value: .zero,
            document: document
        )
    }

    /// Lets another logic write all storages, and no one else.
    public static func selectLogic(_ logic: Address, codeHash: Word, document: Word = .zero) -> ProposalContent {
        ProposalContent(
            kind: .selectLogic,
            target: logic,
            other: .zero,
            key: codeHash,
            value: .zero,
            document: document
        )
    }

    /// Lets nobody write, until a logic is selected again.
    public static func freeze(document: Word = .zero) -> ProposalContent {
        selectLogic(.zero, codeHash: .zero, document: document)
    }

    public static func configure(_ action: LogicAction, document: Word = .zero) -> ProposalContent {
        let (key, target, value) = action.arguments
        return ProposalContent(
            kind: .configure,
            target: target,
            other: .zero,
            key: key,
            value: value,
            document: document
        )
    }

    /// Moves stake without its holder's consent, at most what it has then.
    public static func reassign(
        _ amount: UInt128,
        from source: Address,
        to receiver: Address,
        document: Word = .zero
    ) -> ProposalContent {
        ProposalContent(
            kind: .reassign,
            target: source,
            other: receiver,
            key: .zero,
            value: Word(wide: amount),
            document: document
        )
    }

    /// The hash that votes name: of the chain, the council, the number and all of the content.
    public func payload(chain: UInt64, council: Address, id: UInt64) -> Word {
        let words = [
            Word(chain), Word(council), Word(id), Word(kind.rawValue), Word(target), Word(other), key, value, document,
        ]
        return Word(hashing: words.flatMap(\.bytes))
    }
}

/// What a council can set in the registry's logic.
///
/// Source: names contracts, "Names".
public enum LogicAction: Hashable, Sendable {
    /// Whether an account may register names.
    case registrar(Address, isAdmitted: Bool)
    /// Whether registrations need a commitment.
    case requireCommitments(Bool)
    /// Whether registrars may import names from another store.
    case openImport(Bool)
    /// Withdraws a name for ever.
    case void(Name)

    private enum Key {
        static let registrar = StoreKey.Tag.registrar.word
        static let mode = StoreKey.Tag.mode.word
        static let importOpen = StoreKey.Tag.importOpen.word
        static let void = Word(hashing: Array("jns.v1.void".utf8))
    }

    var arguments: (key: Word, target: Address, value: Word) {
        switch self {
        case .registrar(let address, let isAdmitted): (Key.registrar, address, Word(isAdmitted ? 1 : 0))
        case .requireCommitments(let isRequired): (Key.mode, .zero, Word(isRequired ? 1 : 0))
        case .openImport(let isOpen): (Key.importOpen, .zero, Word(isOpen ? 1 : 0))
        case .void(let name): (Key.void, .zero, name.word)
        }
    }

    /// The action that arguments stand for; `nil` for arguments that this version does not know in full.
    public init?(key: Word, target: Address, value: Word) {
        switch key {
        case Key.registrar: self = .registrar(target, isAdmitted: !value.isZero)
        case Key.mode where target.isZero && value <= Word(1): self = .requireCommitments(!value.isZero)
        case Key.importOpen where target.isZero: self = .openImport(!value.isZero)
        case Key.void where target.isZero:
            guard let name = Name(value) else { return nil }
            self = .void(name)
        default: return nil
        }
    }
}

/// The one proposal that the council is busy with.
public struct CurrentProposal: Hashable, Sendable {
    public let id: UInt64
    public let proposer: Address
    /// The number of the kind, which may be unknown to this version.
    public let kind: Word
    public let target: Address
    public let other: Address
    public let key: Word
    public let value: Word
    /// When voting ends, in seconds since 1970.
    public let expires: UInt64
    /// When it can be executed, `nil` while it has not passed.
    public let executableFrom: UInt64?
    public let yes: UInt128
    public let no: UInt128
    public let payload: Word

    /// The content with its document, which the contract does not keep; `nil` for an unknown kind.
    public func content(document: Word) -> ProposalContent? {
        kind.integer.flatMap(ProposalContent.Kind.init).map {
            ProposalContent(kind: $0, target: target, other: other, key: key, value: value, document: document)
        }
    }

    /// A proposal from the contract's answer: `nil` inside for none, `nil` outside for an answer that is none.
    static func read(_ values: [ABIValue]) -> CurrentProposal?? {
        guard let members = values.first?.elements, members.count == 12, let id = members[0].integer,
            let proposer = members[1].address, let kind = members[2].word, let target = members[3].address,
            let other = members[4].address, let key = members[5].word, let value = members[6].word,
            let expires = members[7].integer, let from = members[8].integer, let yes = members[9].wideInteger,
            let no = members[10].wideInteger, let payload = members[11].word
        else { return nil }
        guard id != 0 else { return .some(nil) }
        return CurrentProposal(
            id: id,
            proposer: proposer,
            kind: kind,
            target: target,
            other: other,
            key: key,
            value: value,
            expires: expires,
            executableFrom: from == 0 ? nil : from,
            yes: yes,
            no: no,
            payload: payload
        )
    }
}
