import Keys
import MessagePack

/// Who may store what, and who may change it.
///
/// The decision has a part that looks at the values alone, and one that needs cryptography, which a driver does
/// elsewhere. Source: DHT protocol, "Value types".
enum StorePolicy {
    enum Decision: Equatable {
        case refuse
        /// The very same value is here already.
        case refresh
        case store(Value)
        /// To be stored if ``StoreCheck/isPassed`` says so.
        case check(StoreCheck)
    }

    /// Looks at a value that somebody wants to be stored, and at the one of the same key and id that is here already.
    static func decide(
        _ value: Value,
        at key: InfoHash,
        over stored: Value?,
        from sender: Endpoint,
        maximumSize: Int,
        types: ValueTypes = .standard
    ) -> Decision {
        guard value.id != 0, !key.isZero, value.size <= maximumSize else { return .refuse }
        let type = types.type(of: value)
        var value = value
        if case .address = type.rule {
            guard let rewritten = announcement(value, from: sender) else { return .refuse }
            value = rewritten
        }
        if let stored {
            guard !stored.hasSameContent(as: value) else { return .refresh }
            return decideEdition(value, at: key, over: stored, types: types)
        }
        if case .certificate = type.rule {
            return .check(StoreCheck(value: value, key: key, test: .certificate(replacing: nil)))
        }
        // A signature that holds is enough, whatever else the type asks for.
        if type.isSecure, value.isSigned { return .check(StoreCheck(value: value, key: key, test: .signature)) }
        return isAccepted(value, by: type.rule) ? .store(value) : .refuse
    }

    private static func isAccepted(_ value: Value, by rule: ValueType.Rule) -> Bool {
        switch rule {
        case .service: value.isEncrypted || hasService(value)
        case .custom(let accepts, _): accepts(value)
        case .none, .address, .certificate: true
        }
    }

    /// The type of what is here decides.
    private static func decideEdition(
        _ value: Value,
        at key: InfoHash,
        over stored: Value,
        types: ValueTypes
    ) -> Decision {
        let type = types.type(of: stored)
        let isSameType = type == types.type(of: value)
        if type.isSecure, stored.isSigned {
            // An owner is what an unsigned value lacks, so it never takes the place of a signed one.
            guard value.isSigned, let owner = value.owner, owner == stored.owner, value.sequence > stored.sequence
            else {
                return .refuse
            }
            return .check(StoreCheck(value: value, key: key, test: .signature))
        }
        switch type.rule {
        case .certificate where isSameType:
            return .check(StoreCheck(value: value, key: key, test: .certificate(replacing: stored.data)))
        case .custom(let accepts, let mayReplace) where isSameType && !(type.isSecure && value.isSigned):
            return accepts(value) && mayReplace(stored, value) ? .store(value) : .refuse
        case .none, .service, .address, .certificate, .custom:
            return .refuse
        }
    }

    private static func hasService(_ value: Value) -> Bool {
        guard let fields = try? MessagePackValue.decode(value.data).array else { return false }
        return fields.first?.text?.isEmpty == false
    }

    /// The announced service with the address that its announcer really has.
    private static func announcement(_ value: Value, from sender: Endpoint) -> Value? {
        guard let address = try? MessagePackValue.decode(value.data).bytes, let announced = SocketAddressBytes(address),
            announced.endpoint.port != 0
        else { return nil }
        let real = announced.endpoint.movedToAddress(of: sender)
        return Value(
            id: value.id,
            type: value.type,
            data: MessagePackValue.binary(SocketAddressBytes(real).bytes).encoded
        )
    }
}

/// A condition for storing a value that takes cryptography to answer.
package struct StoreCheck: Sendable, Equatable {
    enum Test: Sendable, Equatable {
        case signature
        /// With the payload of the certificate that would be replaced.
        case certificate(replacing: [UInt8]?)
    }

    let value: Value
    let key: InfoHash
    let test: Test

    /// Blocking: takes a fraction of a millisecond.
    package var isPassed: Bool {
        switch test {
        case .signature:
            return value.hasValidSignature
        case .certificate(let replaced):
            guard let chain = CertificatePayload.chain(in: value.data) else { return false }
            let key = chain.leaf.publicKey
            guard self.key == key.shortID || self.key == CertificatePayload.location(of: key.longID) else {
                return false
            }
            guard let replaced else { return true }
            return CertificatePayload.chain(in: replaced)?.leaf.publicKey == key
        }
    }
}

extension Value {
    /// Whether the value is signed by its owner.
    ///
    /// Blocking: takes a fraction of a millisecond.
    package var hasValidSignature: Bool {
        guard isSigned, let owner, let key = try? RSAPublicKey(spki: owner) else { return false }
        return key.isValidSignature(signature, for: signedBytes, digest: .sha512)
    }
}
