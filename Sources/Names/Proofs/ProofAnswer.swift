import Ethereum
import JSON
import Keys
import NameRegistry

/// A server's answer with proof, as it came: nothing in it is believed yet.
///
/// Source: names protocol, "Proofs".
struct ProofAnswer: Sendable {
    enum Anchors: Sendable {
        /// Headers behind the block, and those that lead from the checkpoint to its epoch.
        case clique(headers: [[UInt8]], checkpoints: [[UInt8]])
        case quorum
        case other
    }

    /// The slots that a proof may be about, by the names that servers give them.
    enum Field: String, CaseIterable, Sendable {
        case reverse
        case owner
        case account = "addr"
        case evidence
    }

    let name: Name?
    let isRegistered: Bool
    let account: InfoHash?
    let owner: Address?
    let evidence: NameEvidence?
    let chain: UInt64
    let store: Address
    let header: [UInt8]
    let anchors: Anchors
    let accountNodes: [[UInt8]]
    let slotNodes: [Field: [[UInt8]]]

    /// Reads an answer; what a member must be is checked here, whether it is true by ``ProofVerifier``.
    init(_ reply: NameServerReply) throws(NameServerFault) {
        switch reply.status {
        case 200..<300: break
        case 404: throw .refused(status: 404, reason: "it proves nothing")
        default: throw AnswerReader.fault(of: reply)
        }
        let answer = try AnswerReader.object(reply.body)
        guard let registered = answer["registered"]?.boolean else {
            throw .malformed("it does not say whether the name is registered")
        }
        isRegistered = registered
        guard let proof = answer["proof"], proof.object != nil else {
            throw registered ? .lie(.truncatedProof("all of it")) : .lie(.absenceWithoutProof)
        }
        name = try Self.optional(answer["name"], "name") { Name(canonical: $0) }
        account = try Self.optional(answer["addr"], "addr") { AnswerReader.account(.string($0)) }
        owner = try Self.optional(answer["owner"], "owner") { Address(hex: $0) }
        evidence = try AnswerReader.evidence(in: answer, key: "publicKey")
        guard let chain = proof["chainId"]?.string.flatMap({ HexText.integer($0) }) else {
            throw .lie(.truncatedProof("the chain"))
        }
        self.chain = chain
        guard let store = proof["store"]?.string.flatMap({ Address(hex: $0) }) else {
            throw .lie(.truncatedProof("the registry"))
        }
        self.store = store
        guard let header = proof["header"]?.string.flatMap({ HexText.bytes($0) }) else {
            throw .lie(.truncatedProof("the block"))
        }
        self.header = header
        anchors = try Self.anchors(proof["anchors"])
        accountNodes = try Self.byteStrings(proof["account"], "the contract")
        slotNodes = try Self.slots(proof["slots"])
    }

    private static func optional<Value>(
        _ value: JSONValue?,
        _ member: String,
        _ read: (String) -> Value?
    ) throws(NameServerFault) -> Value? {
        guard let value, value != .null, value != "" else { return nil }
        guard let result = value.string.flatMap(read) else { throw .malformed("its “\(member)” is none") }
        return result
    }

    private static func anchors(_ value: JSONValue?) throws(NameServerFault) -> Anchors {
        switch value?["kind"]?.string {
        case "clique":
            return .clique(
                headers: try byteStrings(value?["headers"] ?? .array([]), "the blocks behind"),
                checkpoints: try byteStrings(value?["checkpoints"] ?? .array([]), "the checkpoints")
            )
        case "quorum": return .quorum
        default: return .other
        }
    }

    private static func slots(_ value: JSONValue?) throws(NameServerFault) -> [Field: [[UInt8]]] {
        guard let entries = value?.array, entries.count <= Field.allCases.count else {
            throw .lie(.truncatedProof("the slots"))
        }
        var slots: [Field: [[UInt8]]] = [:]
        for entry in entries {
            guard let field = entry["field"]?.string.flatMap(Field.init) else {
                throw .malformed("one of its slots is not known")
            }
            guard slots[field] == nil else { throw .malformed("one of its slots is there twice") }
            slots[field] = try byteStrings(entry["proof"], "the slot “\(field.rawValue)”")
        }
        return slots
    }

    private static func byteStrings(_ value: JSONValue?, _ part: String) throws(NameServerFault) -> [[UInt8]] {
        guard let entries = value?.array else { throw .lie(.truncatedProof(part)) }
        var strings: [[UInt8]] = []
        for entry in entries {
            guard let bytes = entry.string.flatMap({ HexText.bytes($0) }) else {
                throw .malformed("a part of its proof is no hexadecimal text")
            }
            strings.append(bytes)
        }
        return strings
    }
}
