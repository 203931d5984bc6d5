import Ethereum
import JSON
import Keys
import NameRegistry

/// Puts contracts on the chain and opens proposals about them.
struct CouncilProposer {
    let session: CouncilSession
    let key: EthereumKey
    let document: Word

    private var sender: TransactionSender { TransactionSender(node: session.node, key: key) }

    func deployBlueprint(on head: BlockHeader) async throws -> Address {
        let version = ContractVersion.suitable(for: head)
        return try await deploy(version.deployBlueprint(), "The blueprint of the storage")
    }

    func deployLogic(for storage: Address, on head: BlockHeader) async throws -> Address {
        let version = ContractVersion.suitable(for: head)
        let data = version.deployLogic(council: session.council, storage: storage)
        return try await deploy(data, "The logic")
    }

    func deploy(_ data: [UInt8], _ what: String) async throws -> Address {
        guard let contract = try await sender.send(data, to: nil).contract else {
            throw Failure(kind: .refused, sentence: "\(what) was sent, but the node tells no address of it.")
        }
        if !session.isJSON { Output.say("\(what) is at \(contract.checksummed)") }
        return contract
    }

    func codeHash(at address: Address) async throws -> Word {
        let code = try await session.node.code(of: address)
        guard !code.isEmpty else {
            throw Failure(kind: .notFound, sentence: "There is no contract at \(address.checksummed).")
        }
        return Word(hashing: code)
    }

    /// Shows what would be proposed, and proposes it unless it cannot be told in full; returns its payload.
    func propose(
        _ content: ProposalContent,
        _ state: CouncilState,
        duration: UInt64,
        acceptedCode: [Word] = []
    ) async throws -> Word {
        let id = try await session.node.ask(session.reader.council.lastID()) + 1
        let facts = ProposalReview.Facts(
            planned: content,
            id: id,
            proposer: key.account,
            in: state,
            targetCode: try await session.node.code(of: content.target),
            logicCode: state.logic.isZero ? [] : try await session.node.code(of: state.logic),
            acceptedCode: Set(acceptedCode)
        )
        let review = ProposalReview(facts)
        if !session.isJSON { ([review.effect] + review.details).forEach(Output.say) }
        try session.check(review)
        let receipt = try await sender.send(
            CouncilContract.propose(content, duration: duration),
            to: session.council
        )
        guard
            let made = receipt.logs.lazy.compactMap({ log -> CouncilEvent.ProposedEvent? in
                guard log.address == session.council, case .proposed(let event) = CouncilEvent(log) else { return nil }
                return event
            }).first, made.content == content
        else {
            throw Failure(kind: .refused, sentence: "The transaction was done, but nothing of the kind was proposed.")
        }
        session.say(
            "Proposal \(made.id) is open; its hash is \(made.payload).",
            [
                "proposal": CouncilReport.number(made.id), "payload": .string(made.payload.hex),
                "target": .string(content.target.hex), "effect": .string(review.effect),
            ],
            receipt
        )
        return made.payload
    }
}
