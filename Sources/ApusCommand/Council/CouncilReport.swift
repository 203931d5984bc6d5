import Ethereum
import JSON
import NameRegistry

/// How a council and its proposals are shown.
enum CouncilReport {
    static func time(_ seconds: UInt64) -> String {
        Output.time(Int64(clamping: seconds).multipliedReportingOverflow(by: 1_000).partialValue)
    }

    static func share(_ stake: UInt128, of total: UInt128) -> String {
        guard total > 0 else { return "" }
        let permille = Int(Double(stake) / Double(total) * 1_000)
        return "\(permille / 10).\(permille % 10) %"
    }

    // MARK: A proposal under review

    static func lines(_ review: ProposalReview, of proposal: CurrentProposal, in state: CouncilState) -> [String] {
        var lines = ["Proposal \(proposal.id) by \(proposal.proposer.checksummed):", "  \(review.effect)"]
        lines += review.details.map { "  \($0)" }
        if let payload = review.payload { lines.append("  Its hash, computed here: \(payload)") }
        lines += review.objections.map { "  ! \($0)" }
        let total = state.totalStake
        lines.append(
            "  Yes: \(proposal.yes) (\(share(proposal.yes, of: total))), no: \(proposal.no) "
                + "(\(share(proposal.no, of: total))), needed: more than \(total / 2) of \(total)."
        )
        if let from = proposal.executableFrom {
            lines.append("  It has passed and can be executed from \(time(from)) on.")
        } else {
            lines.append("  Votes are taken until \(time(proposal.expires)).")
        }
        return lines
    }

    static func json(_ review: ProposalReview, of proposal: CurrentProposal) -> JSONValue {
        var members: [String: JSONValue] = [
            "id": number(proposal.id),
            "proposer": .string(proposal.proposer.hex),
            "kind": .string(HexText.quantity(proposal.kind)),
            "target": .string(proposal.target.hex),
            "other": .string(proposal.other.hex),
            "key": .string(proposal.key.hex),
            "value": .string(HexText.quantity(proposal.value)),
            "payload": .string(proposal.payload.hex),
            "effect": .string(review.effect),
            "details": .array(review.details.map { .string($0) }),
            "objections": .array(review.objections.map { .string($0.code) }),
            "yes": number(proposal.yes),
            "no": number(proposal.no),
            "expires": number(proposal.expires),
        ]
        if let payload = review.payload { members["recomputedPayload"] = .string(payload.hex) }
        if let from = proposal.executableFrom { members["executableFrom"] = number(from) }
        return .object(members)
    }

    // MARK: A council

    static func lines(_ state: CouncilState) -> [String] {
        var lines = ["Council \(state.council.checksummed) on chain \(state.chain)"]
        lines.append(
            state.settings == nil
                ? "  Its code is not that of the council that this program came with: trust it only if you know why."
                : "  Its code is that of the council that this program came with."
        )
        if let settings = state.settings {
            lines.append(
                "  Proposing needs a stake of \(settings.threshold); proposals are open for \(settings.minimumDuration) to "
                    + "\(settings.maximumDuration) s and executed after \(settings.executionDelay) s."
            )
        }
        lines.append("Members:")
        for (address, stake) in state.history.members {
            lines.append("  \(address.checksummed)  \(stake)  \(share(stake, of: state.totalStake))")
        }
        lines.append(
            state.logic.isZero
                ? "Logic: none; names can be neither registered nor changed." : "Logic: \(state.logic.checksummed)"
        )
        lines.append(state.history.storages.isEmpty ? "Storages: none" : "Storages:")
        lines += state.history.storages.map { "  \($0.checksummed)" }
        return lines
    }

    static func json(_ state: CouncilState) -> [String: JSONValue] {
        [
            "council": .string(state.council.hex),
            "chainId": number(state.chain),
            "block": number(state.head.number),
            "codeIsKnown": .boolean(state.settings != nil),
            "totalStake": number(state.totalStake),
            "members": .array(
                state.history.members.map {
                    .object(["address": .string($0.address.hex), "stake": number($0.stake)])
                }
            ),
            "logic": state.logic.isZero ? .null : .string(state.logic.hex),
            "storages": .array(state.history.storages.map { .string($0.hex) }),
        ]
    }

    // MARK: The past

    static func line(_ entry: CouncilHistory.Entry) -> String {
        let proposed = entry.proposed
        return "\(proposed.id)  \(summary(proposed))  \(outcome(entry))"
    }

    static func json(_ entry: CouncilHistory.Entry) -> JSONValue {
        .object([
            "id": number(entry.proposed.id),
            "block": number(entry.block),
            "proposer": .string(entry.proposed.proposer.hex),
            "payload": .string(entry.proposed.payload.hex),
            "summary": .string(summary(entry.proposed)),
            "outcome": .string(outcome(entry)),
            "votes": .array(
                entry.votes.map {
                    .object([
                        "voter": .string($0.voter.hex), "support": .boolean($0.support), "power": number($0.power),
                    ])
                }
            ),
        ])
    }

    private static func summary(_ proposed: CouncilEvent.ProposedEvent) -> String {
        guard let content = proposed.content else { return "something of a kind that this version does not know" }
        let target = content.target.checksummed
        switch content.kind {
        case .addStorage: return "add a storage from \(target)"
        case .selectLogic where content.target.isZero: return "freeze the registry"
        case .selectLogic: return "select the logic \(target)"
        case .reassign:
            return "reassign \(content.value.wideInteger.map { "\($0)" } ?? "stake") from \(target) to "
                + content.other.checksummed
        case .configure:
            switch LogicAction(key: content.key, target: content.target, value: content.value) {
            case .registrar(_, true): return "let \(target) register names"
            case .registrar(_, false): return "let \(target) no longer register names"
            case .requireCommitments(let isRequired):
                return isRequired ? "require commitments" : "require no commitments"
            case .openImport(let isOpen): return isOpen ? "open the import" : "end the import"
            case .void(let name): return "withdraw the name “\(name)”"
            case nil: return "configure something that this version does not know"
            }
        }
    }

    private static func outcome(_ entry: CouncilHistory.Entry) -> String {
        switch entry.ending {
        case nil: entry.hasPassed ? "passed" : "open"
        case .passed: "passed"
        case .executed: "executed"
        case .rejected: "rejected"
        case .expired: "expired"
        case .withdrawn: "withdrawn"
        }
    }

    static func number(_ value: UInt64) -> JSONValue { number(UInt128(value)) }

    /// As a number while programs can hold it, as text beyond.
    static func number(_ value: UInt128) -> JSONValue {
        value <= 1 << 53 ? .integer(Int64(value)) : .string(String(value))
    }
}
