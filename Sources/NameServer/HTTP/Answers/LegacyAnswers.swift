import Ethereum
import Keys
import NameRegistry

/// The answers of the legacy API, with their members in the order that old servers send them in.
///
/// Source: names protocol, "Legacy API".
enum LegacyAnswers {
    static let nameNotRegistered = Reply(.notFound, .object { $0.add("error", "name not registered") })
    static let addressNotRegistered = Reply(.notFound, .object { $0.add("error", "address not registered") })
    static let invalidName = Reply(.badRequest, .object { $0.add("error", "invalid name") })
    static let invalidAddress = Reply(.badRequest, .object { $0.add("success", false) })
    static let success = Reply(.ok, .object { $0.add("success", true) })
    static let signatureFailed = refused(.unauthorized, "signature verification failed")

    /// A registration that was not made, with a reason for people.
    static func refused(_ status: Reply.Status, _ reason: String, retryAfter: Int? = nil) -> Reply {
        Reply(
            status,
            .object {
                $0.add("success", false)
                $0.add("error", reason)
            },
            retryAfter: retryAfter
        )
    }

    /// Trouble on the server's side; clients show it as an error and not as an answer.
    static func unavailable(_ reason: String, retryAfter: Int, isRegistration: Bool) -> Reply {
        guard !isRegistration else { return refused(.unavailable, reason, retryAfter: retryAfter) }
        return Reply(.unavailable, .object { $0.add("error", reason) }, retryAfter: retryAfter)
    }

    static func name(_ stored: StoredName, _ part: RequestTarget.RecordPart) -> Reply {
        let record = stored.record
        guard let account = record.account, !record.isWithdrawn else { return nameNotRegistered }
        // A member without the other, or an empty one, would make clients call the record forged.
        let evidence = stored.evidence.flatMap { $0.publicKey.isEmpty || $0.signature.isEmpty ? nil : $0 }
        var text = JSONText(capacity: evidence == nil ? 160 : 2_048)
        text.add("name", plain: record.name.text)
        switch part {
        case .whole:
            text.add("addr", plain: address(account))
            if let evidence {
                text.add("publickey", plain: evidence.publicKeyCharacters)
                text.add("signature", plain: evidence.signatureCharacters)
            }
            text.add("state", plain: stored.state.text)
        case .publicKey:
            guard let evidence else { return notStored("publickey") }
            text.add("publickey", plain: evidence.publicKeyCharacters)
        case .signature:
            guard let evidence else { return notStored("signature") }
            text.add("signature", plain: evidence.signatureCharacters)
        case .owner:
            text.add("owner", plain: record.owner.hex)
        }
        return Reply(.ok, text.ended())
    }

    private static func notStored(_ member: String) -> Reply {
        Reply(.notFound, .object { $0.add("error", "\(member) not stored") })
    }

    static func account(_ stored: StoredName) -> Reply {
        guard let account = stored.record.account, !stored.record.isWithdrawn else { return addressNotRegistered }
        return Reply(
            .ok,
            .object {
                $0.add("name", plain: stored.record.name.text)
                $0.add("addr", plain: address(account))
                $0.add("state", plain: stored.state.text)
            }
        )
    }

    /// The name belongs to somebody else, or to nobody for ever.
    static func nameTaken(_ record: NameRecord) -> Reply { taken(by: record, showsOwner: true) }

    /// The account has another name.
    static func accountTaken(_ record: NameRecord) -> Reply { taken(by: record, showsOwner: false) }

    private static func taken(by record: NameRecord, showsOwner: Bool) -> Reply {
        Reply(
            .forbidden,
            .object {
                $0.add("success", false)
                $0.add("name", plain: record.name.text)
                if let account = record.account { $0.add("addr", plain: address(account)) }
                if showsOwner { $0.add("owner", plain: record.owner.hex) }
            }
        )
    }

    /// Clients strip exactly `0x` and compare the rest with their own lower-case digits.
    private static func address(_ account: InfoHash) -> String {
        Address(account).hex
    }
}

extension RegistrationState {
    /// The word of the HTTP API.
    var text: String {
        switch self {
        case .accepted: "accepted"
        case .sent: "sent"
        case .included: "included"
        case .final: "final"
        case .conflict: "conflict"
        }
    }
}
