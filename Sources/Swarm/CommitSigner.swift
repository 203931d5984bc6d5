public import Keys

import Git

/// The device that writes commits, with the name that its account shows.
public struct CommitSigner: Sendable {
    /// Device certificate, account certificate, authority.
    public let chain: CertificateChain
    public let key: RSAPrivateKey
    /// The account's display name; may be empty.
    public let displayName: String

    public init(chain: CertificateChain, key: RSAPrivateKey, displayName: String) {
        self.chain = chain
        self.key = key
        self.displayName = displayName
    }

    /// The id of the account: the short id of the key that issued the device's certificate.
    public var account: InfoHash { chain.accountID ?? chain.leaf.publicKey.shortID }
    public var device: LongID { chain.deviceID }

    /// What goes into `devices/<device>.crt`.
    var deviceFile: [UInt8] { Self.text([chain.leaf]) }
    /// What goes into `admins/<account>.crt` or `members/<account>.crt`.
    var accountFile: [UInt8] { Self.text(chain.certificates.dropFirst()) }

    private static func text(_ certificates: some Sequence<Certificate>) -> [UInt8] {
        certificates.flatMap { certificate in
            let pem = certificate.pem
            return Array((pem.hasSuffix("\n") ? pem : pem + "\n").utf8)
        }
    }

    /// Author and committer: the display name without what git uses as marks, the device id if nothing is left.
    ///
    /// Source: conversations protocol, "Commit object".
    func person(seconds: Int64) -> Person {
        let kept = displayName.unicodeScalars.filter { $0 != "<" && $0 != ">" && $0.value >= 0x20 && $0.value != 0x7F }
        let name = String(String.UnicodeScalarView(kept)).trimmingBlanks()
        return Person(name: name.isEmpty ? device.hex : name, email: device.hex, seconds: seconds)
    }
}

extension String {
    fileprivate func trimmingBlanks() -> String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
