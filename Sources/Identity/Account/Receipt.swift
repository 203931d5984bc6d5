public import Keys
public import Runtime

/// Why an identity cannot be used with its receipt.
public enum ReceiptError: Error, Equatable, Sendable {
    /// The text or the signature is missing.
    case empty
    /// The text is not a receipt.
    case malformed
    /// The account key has not signed the text.
    case wrongSignature
    /// The receipt is for another account.
    case wrongAccount
    /// The receipt is for another device.
    case wrongDevice
    /// The announcement in the receipt is not what the account key has signed for this device.
    case wrongAnnouncement
    /// The certificates do not hold together.
    case certificate(CertificateError)
}

/// The account's statement that a device is one of its own, kept with the device's key.
///
/// The text is kept byte for byte, since the signature covers it. Source: accounts protocol, "Receipt and device
/// announcement".
public struct Receipt: Sendable, Hashable {
    /// Longer texts are not read.
    static let maximumSize = 65_536

    public let text: [UInt8]
    /// The account key's signature over the text.
    public let signature: [UInt8]
    public let accountID: InfoHash
    public let shortDeviceID: InfoHash
    /// The Ethereum address of the account, 40 hexadecimal digits.
    public let ethereumAddress: String
    /// The announcement of the device as a packed and signed DHT value with the id 0.
    public let announcement: [UInt8]

    /// Reads the members; ``verify(for:at:)`` checks what they say.
    public init(text: [UInt8], signature: [UInt8]) throws(ReceiptError) {
        guard !text.isEmpty, !signature.isEmpty else { throw .empty }
        guard text.count <= Self.maximumSize, let members = (try? JSON.decode(text))?.object,
            let accountID = members["id"]?.text.flatMap({ InfoHash(hex: $0) }),
            let shortDeviceID = members["dev"]?.text.flatMap({ InfoHash(hex: $0) }),
            let announcement = members["announce"]?.text.flatMap({ Base64.decode($0) })
        else { throw .malformed }
        self.text = text
        self.signature = signature
        self.accountID = accountID
        self.shortDeviceID = shortDeviceID
        self.announcement = announcement
        ethereumAddress = members["eth"]?.text ?? ""
    }

    /// Makes the receipt of a device.
    public static func issue(
        for device: RSAPublicKey,
        by account: RSAPrivateKey,
        ethereumAddress: String
    ) throws(KeyError) -> Receipt {
        let body = SignedBody(owner: account.publicKey, data: DeviceAnnouncement(of: device).payload)
        let announcement = try body.packed(id: 0, signedWith: account)
        // The member order and the absence of spaces are what the daemon expects.
        let text = Array(
            """
            {"id":"\(account.publicKey.shortID.hex)","dev":"\(device.shortID.hex)",\
            "eth":"\(ethereumAddress)","announce":"\(Base64.encode(announcement))"}
            """.utf8
        )
        let signature = try account.sign(text)
        do throws(ReceiptError) {
            return try Receipt(text: text, signature: signature)
        } catch {
            throw .invalidParameter
        }
    }

    /// Checks everything that must hold before a device may be used for its account.
    ///
    /// - Parameters:
    ///   - identity: the device's key and certificates, which are checked as well.
    ///   - now: the time that the certificates must be valid at.
    ///   - revocations: what the account has revoked.
    /// - Throws: the first condition that does not hold.
    public func verify(
        for identity: DeviceIdentity,
        at now: WallTime,
        revocations: [RevocationList] = []
    ) throws(ReceiptError) {
        do throws(CertificateError) {
            try identity.chain.verify(at: now, revocations: revocations)
        } catch {
            throw .certificate(error)
        }
        let account = identity.accountCertificate.publicKey
        guard account.isValidSignature(signature, for: text) else { throw .wrongSignature }
        guard shortDeviceID == identity.shortDeviceID else { throw .wrongDevice }
        guard accountID == identity.accountID else { throw .wrongAccount }
        guard let body = try? SignedBody(packed: announcement), body.owner == account,
            let announcement = try? DeviceAnnouncement(payload: body.data),
            announcement.shortDeviceID == identity.shortDeviceID, announcement.deviceID == identity.deviceID
        else { throw .wrongAnnouncement }
    }
}
