public import Ethereum
public import Keys
public import NameRegistry
public import Runtime

/// What is found out by asking servers in turn.
protocol AnswerOfServers: Sendable {
    /// What was wrong with servers that were asked as well.
    var problems: [NameServerProblem] { get set }
}

/// What a look-up found out, how sure that is, and who said so.
public struct NameLookup: AnswerOfServers, Hashable, Sendable {
    public enum Answer: Hashable, Sendable {
        case found(InfoHash)
        case absent
        /// The owner gave the name up; nobody can have it again.
        case withdrawn
    }

    public let name: Name
    public let answer: Answer
    /// For ``Answer/absent``, only ``NameAssurance/proved`` can be relied on.
    public let assurance: NameAssurance
    public let server: NameServerAddress
    /// When the server answered.
    public let time: WallTime
    /// The block that proves the answer; `nil` below ``NameAssurance/proved``.
    public let block: ProvedBlock?
    /// What was wrong with servers that were asked as well.
    public var problems: [NameServerProblem]

    public init(
        name: Name,
        answer: Answer,
        assurance: NameAssurance,
        server: NameServerAddress,
        time: WallTime,
        block: ProvedBlock? = nil,
        problems: [NameServerProblem] = []
    ) {
        self.name = name
        self.answer = answer
        self.assurance = assurance
        self.server = server
        self.time = time
        self.block = block
        self.problems = problems
    }

    /// The account that was found.
    public var account: InfoHash? {
        guard case .found(let account) = answer else { return nil }
        return account
    }
}

/// A block of a registry's chain that an answer was proved in.
public struct ProvedBlock: Hashable, Sendable {
    public let number: UInt64
    public let hash: Word
    /// When the block was made.
    public let time: WallTime

    public init(number: UInt64, hash: Word, time: WallTime) {
        self.number = number
        self.hash = hash
        self.time = time
    }
}

/// What a look-up of an account found out.
public struct AccountLookup: AnswerOfServers, Hashable, Sendable {
    public let account: InfoHash
    /// The name, confirmed by a look-up of it at the same server; `nil` where the account has none.
    public let name: NameLookup?
    public let server: NameServerAddress
    /// When the server answered.
    public let time: WallTime
    /// The block that proves which name the account has, or that it has none; `nil` where nothing is proved.
    public let block: ProvedBlock?
    /// What was wrong with servers that were asked before.
    public var problems: [NameServerProblem]

    public init(
        account: InfoHash,
        name: NameLookup?,
        server: NameServerAddress,
        time: WallTime,
        block: ProvedBlock? = nil,
        problems: [NameServerProblem] = []
    ) {
        self.account = account
        self.name = name
        self.server = server
        self.time = time
        self.block = block
        self.problems = problems
    }
}
