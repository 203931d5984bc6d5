import Ethereum
import JSON
import Keys
import NameRegistry

/// The body of a registration by the legacy API, in the order in which old servers look at it.
///
/// Source: names protocol, "Registration".
enum LegacyRegistration {
    /// Why a registration is not even tried.
    enum Refusal: Error, Equatable, Sendable {
        case malformedBody
        case invalidName
        case invalidAddress
        case noOwner
        case noPublicKey
        case noSignature
        /// The evidence does not prove that the account asked for the name.
        case wrongEvidence
    }

    /// The deepest nesting of a body; a registration has one level.
    static let maximumDepth = 8

    /// Reads and checks a body; takes as long as a check of an RSA signature.
    static func read(_ body: [UInt8], name: Name?, allowsUnsigned: Bool) throws(Refusal) -> Registration {
        guard depth(of: body) <= maximumDepth, String(validating: body, as: UTF8.self) != nil,
            let members = members(of: body)
        else { throw .malformedBody }
        guard let name else { throw .invalidName }
        guard let account = members["addr"]?.string.flatMap(AddressText.account) else { throw .invalidAddress }
        guard let owner = members["owner"]?.string.flatMap(AddressText.owner), owner != NameRecord.tombstone else {
            throw .noOwner
        }
        let publicKey = isPresent(members["publickey"])
        let signature = isPresent(members["signature"])
        if !publicKey, !signature, allowsUnsigned {
            return Registration(name: name, account: account, owner: owner, evidence: nil)
        }
        guard publicKey, let keyText = members["publickey"]?.string else { throw .noPublicKey }
        guard signature, let signatureText = members["signature"]?.string else { throw .noSignature }
        do {
            let evidence = try NameEvidence(publicKeyText: keyText, signatureText: signatureText)
            try evidence.verify(name, of: account)
            return Registration(name: name, account: account, owner: owner, evidence: evidence)
        } catch {
            throw .wrongEvidence
        }
    }

    /// Clients send nothing but texts, which are read quickly; any other object is read all the same.
    private static func members(of body: [UInt8]) -> [String: JSONValue]? {
        if let texts = FlatObject(body)?.texts { return texts.mapValues { .string($0) } }
        return JSONValue(parsing: String(decoding: body, as: UTF8.self))?.object
    }

    private static func isPresent(_ value: JSONValue?) -> Bool {
        switch value {
        case nil, .null: false
        case .string(let text): !text.isEmpty
        default: true
        }
    }

    /// How deep brackets nest, so that no parser recurses as deep as a stranger likes.
    static func depth(of body: [UInt8]) -> Int {
        var depth = 0
        var deepest = 0
        for byte in body {
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                deepest = max(deepest, depth)
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
        }
        return deepest
    }
}

extension LegacyRegistration.Refusal {
    var reply: Reply {
        switch self {
        case .malformedBody: LegacyAnswers.refused(.badRequest, "invalid request")
        case .invalidName: LegacyAnswers.refused(.badRequest, "invalid name")
        case .invalidAddress: LegacyAnswers.invalidAddress
        case .noOwner: LegacyAnswers.refused(.badRequest, "no owner")
        case .noPublicKey: LegacyAnswers.refused(.badRequest, "publickey not found or invalid")
        case .noSignature: LegacyAnswers.refused(.badRequest, "signature not found or invalid")
        case .wrongEvidence: LegacyAnswers.signatureFailed
        }
    }
}
