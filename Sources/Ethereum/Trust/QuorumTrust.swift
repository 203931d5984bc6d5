/// Trust in a block because several operators of nodes, who do not know of each other, say the same.
///
/// It is trust in the operators, and only in that. Source: names protocol, "Proofs".
public struct QuorumTrust: Hashable, Sendable {
    /// What the operators said.
    public struct Outcome: Hashable, Sendable {
        /// Those that have this block as final.
        public var agreeing = 0
        /// Those that have another block of this number as final.
        public var contradicting = 0
        /// Those that do not have it as final yet.
        public var behind = 0
        /// Those that did not answer.
        public var silent = 0

        public init() {}
    }

    /// How many operators must agree.
    public let needed: Int

    public init(needed: Int) {
        self.needed = max(1, needed)
    }

    /// Whether enough agree, and more than contradict.
    public func accepts(_ outcome: Outcome) -> Bool {
        outcome.agreeing >= needed && outcome.agreeing > outcome.contradicting
    }

    /// Asks each operator, all at once, whether a block is final.
    ///
    /// Each node must have the endpoints of one operator only. Ends within the nodes' own time limits.
    public static func ask(_ operators: [EthereumNode], number: UInt64, hash: Word) async -> Outcome {
        await withTaskGroup(of: Opinion.self) { group in
            for node in operators {
                group.addTask { await opinion(of: node, number: number, hash: hash) }
            }
            var outcome = Outcome()
            for await opinion in group {
                switch opinion {
                case .agrees: outcome.agreeing += 1
                case .contradicts: outcome.contradicting += 1
                case .isBehind: outcome.behind += 1
                case .isSilent: outcome.silent += 1
                }
            }
            return outcome
        }
    }

    private enum Opinion: Sendable {
        case agrees
        case contradicts
        case isBehind
        case isSilent
    }

    private static func opinion(of node: EthereumNode, number: UInt64, hash: Word) async -> Opinion {
        do {
            guard let final = try await node.block(.finalized), final.number >= number else { return .isBehind }
            let block = final.number == number ? final : try await node.block(.number(number))
            guard let block else { return .isBehind }
            return block.hash == hash ? .agrees : .contradicts
        } catch {
            return .isSilent
        }
    }
}
