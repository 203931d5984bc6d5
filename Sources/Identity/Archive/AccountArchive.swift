public import Keys

/// All that makes an account, as it is kept in `archive.gz`: its keys, certificates, contacts and settings.
///
/// Members that are not known here stay as they are. Source: accounts protocol, "Account archive".
public struct AccountArchive: Sendable {
    /// The bound on the JSON text.
    public static let maximumSize = 16 << 20

    /// The key that the account id is the hash of.
    public var accountKey: RSAPrivateKey
    /// The key of the account's own authority; unknown for accounts of organisations.
    public var authorityKey: RSAPrivateKey?
    /// The certificates of the account and of its authority.
    public var accountChain: CertificateChain?
    public var ethereumKey: EthereumKey?
    /// The list of revoked devices in DER.
    public var revocationList: [UInt8]?
    public var contacts: [InfoHash: ContactRecord]
    /// Settings such as `Account.displayName`, by name.
    public var details: [String: String]
    /// Everything else, such as the lists of conversations.
    var others: [String: JSON]

    public init(
        accountKey: RSAPrivateKey,
        authorityKey: RSAPrivateKey? = nil,
        accountChain: CertificateChain? = nil,
        ethereumKey: EthereumKey? = nil,
        details: [String: String] = [:]
    ) {
        self.accountKey = accountKey
        self.authorityKey = authorityKey
        self.accountChain = accountChain
        self.ethereumKey = ethereumKey
        self.details = details
        contacts = [:]
        others = [:]
    }

    public var accountID: InfoHash { accountKey.publicKey.shortID }

    /// The name to show, empty when the archive has none.
    public var displayName: String {
        get { details["Account.displayName"] ?? "" }
        set { details["Account.displayName"] = newValue }
    }
}

// MARK: - JSON (accounts protocol, "JSON")

extension AccountArchive {
    private enum Member {
        static let authorityKey = "ringCaKey"
        static let accountKey = "ringAccountKey"
        static let accountChain = "ringAccountCert"
        static let ethereumKey = "ethKey"
        static let revocationList = "ringAccountCRL"
        static let contacts = "ringAccountContacts"
    }

    /// Settings of one device, or even its private key, which no archive should carry to another one.
    static let localDetails: Set<String> = [
        "Account.ringtonePath", "Account.archivePath", "Account.deviceID", "Account.deviceName", "DHT.port",
        "Account.dhtProxyListUrl", "Account.autoAnswer", "Account.proxyEnabled", "Account.proxyServer",
        "Account.proxyPushToken", "TLS.certificateListFile", "TLS.certificateFile", "TLS.privateKeyFile",
    ]

    /// Reads the JSON text.
    ///
    /// A member that cannot be read is skipped; only the account key must be there.
    public init(json: [UInt8]) throws(ArchiveError) {
        guard json.count <= Self.maximumSize else { throw .tooLarge }
        guard let members = (try? JSON.decode(json))?.object else { throw .malformed }
        func bytes(_ name: String) -> [UInt8]? { members[name]?.text.flatMap { Base64.decode($0) } }
        func key(_ name: String) -> RSAPrivateKey? {
            bytes(name).flatMap { try? RSAPrivateKey(pem: String(decoding: $0, as: UTF8.self)) }
        }
        guard let accountKey = key(Member.accountKey) else { throw .noAccountKey }
        self.init(
            accountKey: accountKey,
            authorityKey: key(Member.authorityKey),
            accountChain: bytes(Member.accountChain).flatMap { try? CertificateChain(pem: $0) },
            ethereumKey: bytes(Member.ethereumKey).flatMap { try? EthereumKey(secret: $0) }
        )
        // A certificate of another key would make devices of another account.
        if accountChain?.leaf.publicKey != accountKey.publicKey { accountChain = nil }
        revocationList = bytes(Member.revocationList)
        for (id, record) in members[Member.contacts]?.object ?? [:] {
            guard let id = InfoHash(hex: id), let record = ContactRecord(json: record) else { continue }
            contacts[id] = record
        }
        let known: Set = [
            Member.accountKey, Member.authorityKey, Member.accountChain, Member.ethereumKey, Member.revocationList,
            Member.contacts,
        ]
        for (name, value) in members where !name.isEmpty && !known.contains(name) && !Self.localDetails.contains(name) {
            if let text = value.text { details[name] = text } else { others[name] = value }
        }
    }

    /// The JSON text, compact and in ASCII, as the daemon writes it.
    public var json: [UInt8] {
        var members = others
        for (name, text) in details where !Self.localDetails.contains(name) { members[name] = .text(text) }
        func set(_ name: String, _ bytes: [UInt8]?) {
            members[name] = bytes.map { .text(Base64.encode($0)) }
        }
        set(Member.accountKey, Array(accountKey.pem.utf8))
        set(Member.authorityKey, authorityKey.map { Array($0.pem.utf8) })
        set(Member.accountChain, accountChain.map { Array($0.pem.utf8) })
        set(Member.ethereumKey, ethereumKey?.secret)
        set(Member.revocationList, revocationList)
        if !contacts.isEmpty {
            let records = contacts.map { ($0.key.hex, $0.value.json) }
            members[Member.contacts] = .object(Dictionary(records) { first, _ in first })
        }
        return JSON.object(members).encoded
    }
}
