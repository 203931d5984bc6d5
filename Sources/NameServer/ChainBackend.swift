public import Ethereum
public import Keys
public import NameRegistry

/// The chain as the HTTP side of a server sees it.
///
/// Calls may come from any task and block no thread. Each ends by itself within a minute at the latest, except
/// ``waitUntilIncluded(_:)``, which ends when its task is cancelled. A server in mode ``ServerMode/sql`` has none.
/// Source: names protocol, "Extension API" and "Modes".
public protocol ChainBackend: Sendable {
    /// What is known of the chain right now; asks nobody, answers at once.
    func status() async -> ChainStatus

    /// Whether a registration that is so far on its way is deep enough on the chain to be acknowledged.
    func acknowledges(_ state: RegistrationState) -> Bool
    /// Whether a name that is so far on its way may be shown to those who look it up.
    func shows(_ state: RegistrationState) -> Bool

    /// Whether the council demands commitments, so that names cannot be registered directly.
    func requiresCommitments() -> Bool

    /// Numbers for those who watch the server.
    func gauges() -> [ChainGauge]

    /// Hears that the outbox has got something new; returns at once.
    func outboxHasGrown()

    /// Waits until a registration that is in the outbox is on the chain, or cannot get there.
    ///
    /// Deep enough on the chain for the server's policy. On cancellation ``InclusionOutcome/notYet(reason:)``.
    func waitUntilIncluded(_ registration: Registration) async -> InclusionOutcome

    /// The object of names protocol, "Proofs", as JSON text; of the newest final block unless one is named.
    ///
    /// A name that is not registered has a proof, too: of its absence.
    func proof(of name: Name, at block: UInt64?) async throws(ChainFailure) -> String
    /// The same of an account's name, or of its having none.
    func proof(of account: InfoHash, at block: UInt64?) async throws(ChainFailure) -> String

    /// Relays the commitment of a registration that is to be revealed later.
    ///
    /// - Returns: The hash of the transaction.
    func commit(_ commitment: Word) async throws(ChainFailure) -> Word

    /// Reveals a committed registration, whose evidence is already checked; durable in the store when it returns.
    ///
    /// A commitment that is too young is waited for; without one nothing is stored.
    func reveal(_ registration: Registration, secret: Word) async throws(ChainFailure) -> RegistrationState

    /// Relays what an owner has signed.
    ///
    /// - Returns: The hash of the transaction.
    func relay(_ operation: OwnerOperation) async throws(ChainFailure) -> Word
}

extension ChainBackend {
    public func acknowledges(_ state: RegistrationState) -> Bool { state == .included || state == .final }
    public func shows(_ state: RegistrationState) -> Bool { true }
    public func requiresCommitments() -> Bool { false }
    public func gauges() -> [ChainGauge] { [] }
}

/// A number for those who watch the server.
public struct ChainGauge: Hashable, Sendable {
    /// Lower-case words joined by `_`.
    public var name: String
    public var help: String
    public var value: Int

    public init(_ name: String, _ help: String, _ value: Int) {
        self.name = name
        self.help = help
        self.value = value
    }
}

/// The state of the chain and of the way to it.
public struct ChainStatus: Hashable, Sendable {
    public var chainID: UInt64
    public var council: Address
    public var store: Address
    /// `nil` while the council has selected none.
    public var logic: Address?
    /// The newest block that was seen, and the newest final one.
    public var head: UInt64
    public var final: UInt64
    /// Seconds since the newest block's time.
    public var lagSeconds: Int64
    /// Why registrations that must reach the chain are not acknowledged now; `nil` when they are.
    public var stall: String?
    /// The operations that the index holds, and the journal's head after them.
    public var sequence: UInt64
    public var journal: Word

    public init(
        chainID: UInt64,
        council: Address,
        store: Address,
        logic: Address?,
        head: UInt64,
        final: UInt64,
        lagSeconds: Int64,
        stall: String?,
        sequence: UInt64,
        journal: Word
    ) {
        self.chainID = chainID
        self.council = council
        self.store = store
        self.logic = logic
        self.head = head
        self.final = final
        self.lagSeconds = lagSeconds
        self.stall = stall
        self.sequence = sequence
        self.journal = journal
    }

    public var isStalled: Bool { stall != nil }
}

/// How the way of a registration to the chain has ended.
public enum InclusionOutcome: Hashable, Sendable {
    case included(block: UInt64)
    /// The chain holds other content for the name, or another name for the account.
    case conflict(NameRecord)
    /// Still on its way; a repetition of the registration finds it later.
    case notYet(reason: String)
}

/// What the owner of a name asks for by a signature (EIP-712) that anybody may bring to the chain.
public struct OwnerOperation: Hashable, Sendable {
    public enum Change: Hashable, Sendable {
        case transfer(to: Address)
        /// Withdraws the name for ever.
        case release
        /// Gives the name another account, whose evidence is already checked.
        case address(InfoHash, NameEvidence)
    }

    public var name: Name
    public var change: Change
    /// In seconds since 1970.
    public var deadline: UInt64
    /// `r ‖ s ‖ v`, 65 bytes.
    public var signature: [UInt8]

    public init(name: Name, change: Change, deadline: UInt64, signature: [UInt8]) {
        self.name = name
        self.change = change
        self.deadline = deadline
        self.signature = signature
    }
}

/// Why the chain could not do what it was asked.
public enum ChainFailure: Error, Equatable, Sendable {
    /// No node answers, or the chain stands still: the same request may succeed later.
    case unavailable(reason: String)
    /// The chain or its rules say no: the same request will not succeed. `code` is one word for programs.
    case refused(code: String, reason: String)
    /// The named block is not known or too old.
    case unknownBlock
}
