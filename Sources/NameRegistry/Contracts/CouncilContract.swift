public import Ethereum

/// The council, which owns the storages and selects the one logic that may write them.
///
/// Functions that change something return the data of a transaction to ``address``.
/// Source: names contracts, "Council".
public struct CouncilContract: Hashable, Sendable {
    public static let maximumStorageCount: UInt64 = 16

    public let address: Address

    public init(_ address: Address) {
        self.address = address
    }

    /// What the constructor fixes for ever.
    public struct Settings: Hashable, Sendable {
        /// All stakes; the deployer gets them.
        public var total: UInt128 = 1_000_000
        /// The stake that a proposer needs, at most half of all.
        public var threshold: UInt128 = 10_000
        /// The following are in seconds.
        public var minimumDuration: UInt64 = 86_400
        public var maximumDuration: UInt64 = 14 * 86_400
        public var executionDelay: UInt64 = 2 * 86_400
        public var grace: UInt64 = 14 * 86_400
        public var cooldown: UInt64 = 30 * 86_400
        public var priority: UInt64 = 3_600

        public init() {}

        static let byteCount = 8 * Word.byteCount

        /// From the words at the end of a council's code.
        init?(codeEnd: some Collection<UInt8>) {
            let types = Array(repeating: ABIType.uint256, count: 8)
            guard codeEnd.count == Self.byteCount, let values = try? ABIValue.decode(Array(codeEnd), as: types),
                let total = values[0].wideInteger, let threshold = values[1].wideInteger
            else { return nil }
            let times = values.dropFirst(2).compactMap(\.integer)
            guard times.count == 6 else { return nil }
            self.total = total
            self.threshold = threshold
            minimumDuration = times[0]
            maximumDuration = times[1]
            executionDelay = times[2]
            grace = times[3]
            cooldown = times[4]
            priority = times[5]
        }

        /// Whether the constructor accepts them.
        public var isValid: Bool {
            let times = [maximumDuration, executionDelay, grace, cooldown, priority]
            return threshold > 0 && threshold <= total / 2 && minimumDuration > 0
                && minimumDuration <= maximumDuration && grace > 0 && times.allSatisfy { $0 <= 1 << 40 }
        }

        var arguments: [ABIValue] {
            [.integer(wide: total), .integer(wide: threshold)]
                + [minimumDuration, maximumDuration, executionDelay, grace, cooldown, priority].map { .integer($0) }
        }
    }

    // MARK: Reading

    /// The selected logic, zero while the service is frozen.
    public func logic() -> ContractCall<Address> { address(Functions.logic) }
    public func storage(_ index: UInt64) -> ContractCall<Address> { address(Functions.stores, [.integer(index)]) }
    public func stake(of member: Address) -> ContractCall<UInt128> { amount(Functions.stakeOf, [.address(member)]) }
    public func totalStake() -> ContractCall<UInt128> { amount(Functions.totalStake) }

    /// The weight of a member's vote on the open proposal.
    public func votingPower(of member: Address) -> ContractCall<UInt128> {
        amount(Functions.votingPower, [.address(member)])
    }

    /// How a member voted on a proposal, `nil` for not at all.
    public func vote(of member: Address, on id: UInt64) -> ContractCall<Bool?> {
        ContractCall(address, Functions.voteOf, [.integer(id), .address(member)]) { values in
            switch values.first?.integer {
            case 0: .some(nil)
            case 1: true
            case 2: false
            default: nil
            }
        }
    }

    /// Until when a member may not propose, in seconds since 1970.
    public func lockedUntil(_ member: Address) -> ContractCall<UInt64> { time(Functions.lockUntil, [.address(member)]) }
    public func lastID() -> ContractCall<UInt64> { time(Functions.lastId) }
    public func priorityID() -> ContractCall<UInt64> { time(Functions.priorityId) }
    public func priorityUntil() -> ContractCall<UInt64> { time(Functions.priorityUntil) }

    /// The open or passed proposal.
    public func current() -> ContractCall<CurrentProposal?> {
        ContractCall(address, Functions.current) { CurrentProposal.read($0) }
    }

    private func address(_ function: ABIFunction, _ arguments: [ABIValue] = []) -> ContractCall<Address> {
        ContractCall(address, function, arguments) { $0.first?.address }
    }

    private func amount(_ function: ABIFunction, _ arguments: [ABIValue] = []) -> ContractCall<UInt128> {
        ContractCall(address, function, arguments) { $0.first?.wideInteger }
    }

    private func time(_ function: ABIFunction, _ arguments: [ABIValue] = []) -> ContractCall<UInt64> {
        ContractCall(address, function, arguments) { $0.first?.integer }
    }

    // MARK: Changing

    public static func delegate(_ amount: UInt128, to member: Address) -> [UInt8] {
        Functions.delegate.encode([.address(member), .integer(wide: amount)])
    }

    /// Opens a proposal for so many seconds.
    public static func propose(_ content: ProposalContent, duration: UInt64) -> [UInt8] {
        Functions.propose.encode([
            .integer(content.kind.rawValue), .address(content.target), .address(content.other), .word(content.key),
            .word(content.value), .integer(duration), .word(content.document),
        ])
    }

    public static func vote(_ payload: Word, support: Bool) -> [UInt8] {
        Functions.vote.encode([.word(payload), .boolean(support)])
    }

    public static func execute(_ payload: Word) -> [UInt8] { Functions.execute.encode([.word(payload)]) }
    public static func withdraw() -> [UInt8] { Functions.withdraw.encode([]) }
    public static func close() -> [UInt8] { Functions.close.encode([]) }

    enum Functions {
        static let logic = ABIFunction("logic", returns: [.address])
        static let stores = ABIFunction("stores", [.uint256], returns: [.address])
        static let stakeOf = ABIFunction("stakeOf", [.address], returns: [.uint256])
        static let totalStake = ABIFunction("totalStake", returns: [.uint256])
        static let votingPower = ABIFunction("votingPower", [.address], returns: [.uint256])
        static let voteOf = ABIFunction("voteOf", [.uint256, .address], returns: [.uint256])
        static let lockUntil = ABIFunction("lockUntil", [.address], returns: [.uint256])
        static let lastId = ABIFunction("lastId", returns: [.uint256])
        static let priorityId = ABIFunction("priorityId", returns: [.uint256])
        static let priorityUntil = ABIFunction("priorityUntil", returns: [.uint256])
        static let current = ABIFunction(
            "current",
            returns: [
                .tuple([
                    .uint256, .address, .uint256, .address, .address, .bytes32, .uint256, .uint256, .uint256, .uint256,
                    .uint256, .bytes32,
                ])
            ]
        )
        static let delegate = ABIFunction("delegate", [.address, .uint256])
        static let propose = ABIFunction(
            "propose",
            [.uint256, .address, .address, .bytes32, .uint256, .uint256, .bytes32],
            returns: [.uint256]
        )
        static let vote = ABIFunction("vote", [.bytes32, .boolean])
        static let withdraw = ABIFunction("withdraw")
        static let close = ABIFunction("close")
        static let execute = ABIFunction("execute", [.bytes32])

        static let all = [
            logic, stores, stakeOf, totalStake, votingPower, voteOf, lockUntil, lastId, priorityId, priorityUntil,
            current, delegate, propose, vote, withdraw, close, execute,
        ]
    }
}
