import Ethereum
import Keys
public import NameRegistry

/// Why a record of a dump was not taken as it is.
public enum DumpProblem: Hashable, Sendable {
    /// No name, account and owner can be read.
    case malformed
    /// One of key and signature is missing, or one of them cannot be read, or they prove nothing.
    case evidence(String)
    /// The name is another account's.
    case nameTaken
    /// The account has another name.
    case accountTaken(Name)
}

/// A record of a dump after its evidence was checked.
struct DumpRecord: Sendable {
    /// What the record says its name is, for reports.
    let label: String
    /// Without evidence when that was bad; `nil` when the record is malformed.
    let registration: Registration?
    let problem: DumpProblem?

    init(_ bytes: [UInt8], verifies: Bool) {
        let object = FlatObject(bytes)
        let text = object?.text("name") ?? ""
        label = String(text.prefix(64))
        guard let object, let name = Name(canonical: text), let account = Self.address(object.text("addr")),
            let owner = Self.address(object.text("owner")), Address(owner) != NameRecord.tombstone
        else {
            (registration, problem) = (nil, .malformed)
            return
        }
        var evidence: NameEvidence?
        var problem: DumpProblem?
        do throws(NameEvidenceError) {
            evidence = try Self.evidence(of: object)
            if verifies { try evidence?.verify(name, of: account) }
        } catch {
            evidence = nil
            problem = .evidence(Self.sentence(error))
        }
        registration = Registration(name: name, account: account, owner: Address(owner), evidence: evidence)
        self.problem = problem
    }

    private static func address(_ text: String?) -> InfoHash? {
        guard let text, let address = Address(hex: text), !address.isZero else { return nil }
        return address.hash
    }

    /// The evidence; `nil` where old servers wrote that there is none.
    private static func evidence(of object: FlatObject) throws(NameEvidenceError) -> NameEvidence? {
        let (key, signature) = (present(object, "publickey"), present(object, "signature"))
        switch (key, signature) {
        case (nil, nil): return nil
        case (nil, _): throw .malformedKey
        case (_, nil): throw .malformedSignature
        case (let key?, let signature?): return try NameEvidence(publicKeyText: key, signatureText: signature)
        }
    }

    private static func present(_ object: FlatObject, _ key: StaticString) -> String? {
        guard let text = object.text(key), !text.isEmpty, text != "0" else { return nil }
        return text
    }

    private static func sentence(_ error: NameEvidenceError) -> String {
        switch error {
        case .malformedKey: "The public key is missing or cannot be read"
        case .malformedSignature: "The signature is missing or cannot be read"
        case .keySize(let bits): "The key has \(bits) bits"
        case .otherAccount: "The key is that of another account"
        case .wrongSignature: "The signature is not the key's over this name"
        }
    }
}
