public import Ethereum

/// A council as a node tells it at one time.
public struct CouncilState: Sendable {
    public let chain: UInt64
    public let council: Address
    /// What the constructor fixed; `nil` when the code is not the council that this program came with.
    public let settings: CouncilContract.Settings?
    public let history: CouncilHistory
    public let current: CurrentProposal?
    public let logic: Address
    public let totalStake: UInt128
    public let head: BlockHeader

    /// The event that made the current proposal.
    public var currentEvent: CouncilEvent.ProposedEvent? { current.flatMap { history[$0.id]?.proposed } }
}

/// Why a council cannot be read.
public enum CouncilReaderError: Error, Hashable, Sendable {
    case node(NodeError)
    /// There is no contract at the address.
    case noContract(Address)
    /// The events and the council's own answers disagree, or events are missing.
    case inconsistent(String)
}

/// Reads a council from its events and its answers, and compares both.
public struct CouncilReader: Sendable {
    public let node: EthereumNode
    public let council: CouncilContract
    /// The first block that may have an event of the council.
    public let firstBlock: UInt64

    public init(node: EthereumNode, council: Address, firstBlock: UInt64 = 0) {
        self.node = node
        self.council = CouncilContract(council)
        self.firstBlock = firstBlock
    }

    /// The council at the newest block.
    public func state() async throws(CouncilReaderError) -> CouncilState {
        do {
            let chain = try await node.chainID()
            guard let head = try await node.block(.latest)?.header else {
                throw CouncilReaderError.inconsistent("The node has no newest block")
            }
            let block = BlockReference.number(head.number)
            let code = try await node.code(of: council.address, at: block)
            guard !code.isEmpty else { throw CouncilReaderError.noContract(council.address) }
            let settings: CouncilContract.Settings? =
                if case .council(let known) = KnownCode(code) { known } else { nil }
            let state = CouncilState(
                chain: chain,
                council: council.address,
                settings: settings,
                history: try await history(until: head.number),
                current: try await node.ask(council.current(), at: block),
                logic: try await node.ask(council.logic(), at: block),
                totalStake: try await node.ask(council.totalStake(), at: block),
                head: head
            )
            try check(state)
            return state
        } catch let error as CouncilReaderError {
            throw error
        } catch let error as NodeError {
            throw .node(error)
        } catch {
            throw .inconsistent(String(describing: error))
        }
    }

    /// The facts for a review of the current proposal; `nil` when there is none.
    public func facts(
        _ state: CouncilState,
        acceptedCode: Set<Word> = []
    ) async throws(CouncilReaderError) -> ProposalReview.Facts? {
        guard let proposal = state.current else { return nil }
        let block = BlockReference.number(state.head.number)
        do throws(NodeError) {
            return ProposalReview.Facts(
                chain: state.chain,
                council: state.council,
                proposal: proposal,
                event: state.currentEvent,
                targetCode: try await node.code(of: proposal.target, at: block),
                logic: state.logic,
                logicCode: state.logic.isZero ? [] : try await node.code(of: state.logic, at: block),
                storages: state.history.storages,
                stakes: state.history.stakes,
                acceptedCode: acceptedCode
            )
        } catch {
            throw .node(error)
        }
    }

    private func history(until last: UInt64) async throws -> CouncilHistory {
        var history = CouncilHistory()
        guard firstBlock <= last else { return history }
        let filter = LogFilter(addresses: [council.address], events: CouncilEvent.topics)
        do {
            for log in try await node.logs(filter, in: firstBlock...last) { try history.append(log) }
        } catch let error as CouncilHistory.Inconsistency {
            throw CouncilReaderError.inconsistent(String(describing: error))
        }
        return history
    }

    private func check(_ state: CouncilState) throws(CouncilReaderError) {
        guard state.history.total == state.totalStake else {
            throw .inconsistent("The stakes in the events are \(state.history.total), not \(state.totalStake)")
        }
        guard state.history.logic == state.logic else {
            throw .inconsistent("The events tell another logic than the council")
        }
        let isOpen = state.history.proposals.last.map { $0.ending == nil } ?? false
        guard isOpen == (state.current != nil) else {
            throw .inconsistent("The events tell another state of the last proposal than the council")
        }
    }
}

extension CouncilReaderError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .node(let error): error.description
        case .noContract(let address): "There is no contract at \(address.checksummed)"
        case .inconsistent(let what): "What the node tells of the council cannot be: \(what)"
        }
    }
}
