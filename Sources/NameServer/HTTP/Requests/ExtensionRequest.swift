import Ethereum
import JSON
import Keys
import NameRegistry
import Runtime

/// The body of a request of the extension API.
///
/// Source: names protocol, "Extension API".
struct ExtensionRequest {
    enum Problem: Error, Equatable, Sendable {
        case malformedBody
        case missing(String)
        case wrongEvidence

        var code: String {
            switch self {
            case .malformedBody: "invalidRequest"
            case .missing: "invalidMember"
            case .wrongEvidence: "wrongEvidence"
            }
        }

        var sentence: String {
            switch self {
            case .malformedBody: "The body is no JSON object."
            case .missing(let member): "The member “\(member)” is missing or malformed."
            case .wrongEvidence: "The key is not the account's, or its signature is not over this name."
            }
        }
    }

    private let members: [String: JSONValue]

    init(_ body: [UInt8]) throws(Problem) {
        guard LegacyRegistration.depth(of: body) <= LegacyRegistration.maximumDepth,
            String(validating: body, as: UTF8.self) != nil,
            let members = JSONValue(parsing: String(decoding: body, as: UTF8.self))?.object
        else { throw .malformedBody }
        self.members = members
    }

    func commitment() throws(Problem) -> Word {
        try word("commitment")
    }

    /// A registration whose commitment is on the chain.
    func reveal(of name: Name) throws(Problem) -> (registration: Registration, secret: Word) {
        let account = try account("addr")
        let evidence = try evidence(for: name, of: account)
        let registration = Registration(
            name: name,
            account: account,
            owner: try owner("owner"),
            evidence: evidence
        )
        return (registration, try word("secret"))
    }

    func ownerOperation(_ kind: RequestTarget.OwnerRequest, on name: Name) throws(Problem) -> OwnerOperation {
        guard let deadline = members["deadline"]?.integer, deadline > 0 else { throw .missing("deadline") }
        guard let signature = text("ownerSignature").flatMap({ Hexadecimal.decode(Hexadecimal.withoutPrefix($0)) }),
            signature.count == 65
        else { throw .missing("ownerSignature") }
        let change: OwnerOperation.Change
        switch kind {
        case .transfer: change = .transfer(to: try owner("owner"))
        case .release: change = .release
        case .address:
            let account = try account("addr")
            change = .address(account, try evidence(for: name, of: account))
        }
        return OwnerOperation(name: name, change: change, deadline: UInt64(deadline), signature: signature)
    }

    // MARK: Members

    private func text(_ member: String) -> String? { members[member]?.string }

    private func word(_ member: String) throws(Problem) -> Word {
        guard let word = text(member).flatMap({ Word(hex: $0) }) else { throw .missing(member) }
        return word
    }

    private func account(_ member: String) throws(Problem) -> InfoHash {
        guard let account = text(member).flatMap(AddressText.account) else { throw .missing(member) }
        return account
    }

    private func owner(_ member: String) throws(Problem) -> Address {
        guard let owner = text(member).flatMap(AddressText.owner), owner != NameRecord.tombstone else {
            throw .missing(member)
        }
        return owner
    }

    private func evidence(for name: Name, of account: InfoHash) throws(Problem) -> NameEvidence {
        guard let keyText = text("publicKey") else { throw .missing("publicKey") }
        guard let signatureText = text("signature") else { throw .missing("signature") }
        do {
            let evidence = try NameEvidence(publicKeyText: keyText, signatureText: signatureText)
            try evidence.verify(name, of: account)
            guard NameService.fitsContract(evidence) else { throw Problem.missing("publicKey") }
            return evidence
        } catch let problem as Problem {
            throw problem
        } catch {
            throw .wrongEvidence
        }
    }
}
