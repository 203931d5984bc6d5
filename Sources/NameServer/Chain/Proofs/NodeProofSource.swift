package import Ethereum
import JSON
package import Keys
package import NameRegistry
import Runtime
import Synchronization

/// Makes proofs from what a node tells (EIP-1186), and checks them before they are handed on.
///
/// Source: names protocol, "Proofs".
package final class NodeProofSource: ProofSource {
    private struct Question: Hashable {
        enum Subject: Hashable {
            case name(Name)
            case account(InfoHash, Name)
            case unnamed(InfoHash)
        }

        var subject: Subject
        var block: UInt64

        /// The slots of the proof, by the names that answers give them.
        var fields: [(field: String, slot: Word)] {
            switch subject {
            case .name(let name): Self.fields(of: name)
            case .account(let account, let name): [Self.reverse(of: account)] + Self.fields(of: name)
            case .unnamed(let account): [Self.reverse(of: account)]
            }
        }

        private static func reverse(of account: InfoHash) -> (String, Word) {
            ("reverse", RegistryLayout.name(of: account).slot)
        }

        private static func fields(of name: Name) -> [(String, Word)] {
            [
                ("owner", RegistryLayout.owner(of: name).slot), ("addr", RegistryLayout.account(of: name).slot),
                ("evidence", RegistryLayout.evidence(of: name).slot),
            ]
        }
    }

    /// The header of a block, and what makes others trust it.
    private struct Anchor: Sendable {
        var block: Block
        var json: JSONValue
    }

    private struct Cache: Sendable {
        var answers: [Question: String] = [:]
        var anchors: [UInt64: Anchor] = [:]
    }

    private let chain: NodeRegistryChain
    private let epochLength: UInt64
    private let cache = Mutex(Cache())
    /// Answers and anchors that are kept; all are forgotten when more come.
    private let answerLimit = 1_024
    private let anchorLimit = 16
    /// How many epochs back the signers are proved, and how many blocks are looked at for their seals.
    private let epochs: UInt64 = 8
    private let run: UInt64 = 64

    package init(_ chain: NodeRegistryChain, epochLength: UInt64 = 30_000) {
        self.chain = chain
        self.epochLength = epochLength
    }

    package var logic: Address? { chain.logic }

    package func proof(of name: Name, at block: UInt64, stored: StoredName?) async throws(ChainFailure) -> String {
        try await answer(Question(subject: .name(name), block: block), stored)
    }

    package func proof(
        of name: Name,
        account: InfoHash,
        at block: UInt64,
        stored: StoredName?
    ) async throws(ChainFailure) -> String {
        try await answer(Question(subject: .account(account, name), block: block), stored)
    }

    package func proof(ofUnnamed account: InfoHash, at block: UInt64) async throws(ChainFailure) -> String {
        try await answer(Question(subject: .unnamed(account), block: block), nil)
    }

    private func answer(_ question: Question, _ stored: StoredName?) async throws(ChainFailure) -> String {
        if let known = cache.withLock({ $0.answers[question] }) { return known }
        let answer = try await make(question, stored)
        cache.withLock { cache in
            if cache.answers.count >= answerLimit { cache.answers.removeAll() }
            cache.answers[question] = answer
        }
        return answer
    }

    private func make(_ question: Question, _ stored: StoredName?) async throws(ChainFailure) -> String {
        let anchor = try await anchor(question.block)
        let fields = question.fields
        let proof: AccountProof
        let values: [Word]
        do {
            proof = try await chain.node.proof(
                of: chain.store,
                slots: fields.map(\.slot),
                at: .number(question.block)
            )
            let account = try proof.account(stateRoot: anchor.block.header.stateRoot)
            values = try proof.slots.map { try $0.value(storageRoot: account.storageRoot) }
        } catch {
            throw .unavailable(reason: "no node proves this block: \(error)")
        }
        let slots = zip(zip(fields, values), proof.slots).map { field, slot -> JSONValue in
            [
                "field": .string(field.0.field), "key": .string(slot.slot.hex), "value": .string(field.1.hex),
                "proof": .array(slot.nodes.map(Self.hex)),
            ]
        }
        var answer: [String: JSONValue]
        switch question.subject {
        case .name(let name), .account(_, let name):
            answer = Self.record(name, values: Array(values.suffix(3)), stored: stored)
        case .unnamed:
            guard values[0].isZero else {
                throw .unavailable(reason: "the account has a name on the chain that this server does not know yet")
            }
            answer = ["registered": false]
        }
        answer["proof"] = [
            "chainId": .string("0x" + String(chain.chainID, radix: 16)), "store": .string(chain.store.hex),
            "header": Self.hex(anchor.block.header.encoded), "anchors": anchor.json,
            "account": .array(proof.nodes.map(Self.hex)), "slots": .array(slots),
        ]
        return JSONValue.object(answer).line
    }

    /// What the proved slots say, with the evidence whose digest is proved.
    private static func record(_ name: Name, values: [Word], stored: StoredName?) -> [String: JSONValue] {
        var answer: [String: JSONValue] = ["name": .string(name.text), "registered": .boolean(!values[0].isZero)]
        guard let owner = values[0].address, !owner.isZero else { return answer }
        answer["owner"] = .string(owner.hex)
        guard let account = values[1].address, !account.isZero else { return answer }
        answer["addr"] = .string(account.hex)
        if let evidence = stored?.evidence, evidence.digest == values[2] {
            answer["publicKey"] = .string(Base64.encode(evidence.publicKey))
            answer["signature"] = .string(Base64.encode(evidence.signature))
        }
        return answer
    }

    private static func hex(_ bytes: [UInt8]) -> JSONValue { .string("0x" + Hexadecimal.encode(bytes)) }

    // MARK: Anchors

    private func anchor(_ number: UInt64) async throws(ChainFailure) -> Anchor {
        if let known = cache.withLock({ $0.anchors[number] }) { return known }
        do throws(NodeError) {
            guard let block = try await chain.node.block(.number(number)) else { throw .malformed("no such block") }
            let anchor = Anchor(block: block, json: try await anchors(of: block))
            cache.withLock { cache in
                if cache.anchors.count >= anchorLimit { cache.anchors.removeAll() }
                cache.anchors[number] = anchor
            }
            return anchor
        } catch {
            throw .unavailable(reason: "no node shows this block: \(error)")
        }
    }

    private func anchors(of block: Block) async throws(NodeError) -> JSONValue {
        guard case .seals(let needed) = chain.configuration.rule else { return ["kind": "quorum"] }
        let descendants = try await headers(after: block, until: needed)
        var checkpoints: [BlockHeader] = []
        let epoch = block.number / epochLength
        let first = max(1, epoch > epochs ? epoch - epochs : 1)
        if first <= epoch {
            for number in first...epoch {
                guard let start = try await chain.node.block(.number(number * epochLength)) else { continue }
                checkpoints += [start.header] + (try await headers(after: start, until: needed + 1))
            }
        }
        return [
            "kind": "clique", "headers": .array(descendants.map { Self.hex($0.encoded) }),
            "checkpoints": .array(checkpoints.map { Self.hex($0.encoded) }),
        ]
    }

    /// The children of a block, until it and they carry the seals of so many signers.
    private func headers(after block: Block, until needed: Int) async throws(NodeError) -> [BlockHeader] {
        var sealers = Set([try? block.header.cliqueSigner()].compactMap(\.self))
        var headers: [BlockHeader] = []
        let newest = try await chain.node.blockNumber()
        guard block.number < newest else { return [] }
        for number in (block.number + 1)...min(newest, block.number + run) {
            guard sealers.count < needed else { break }
            guard let child = try await chain.node.block(.number(number)) else { break }
            headers.append(child.header)
            if let sealer = try? child.header.cliqueSigner() { sealers.insert(sealer) }
        }
        return headers
    }
}
