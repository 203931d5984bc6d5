import Git
public import Identity
public import Keys

/// The device that writes commits, with the name that its account shows.
public struct CommitSigner: Sendable {
    public let identity: DeviceIdentity
    /// The account's display name; may be empty.
    public let displayName: String

    public init(identity: DeviceIdentity, displayName: String) {
        self.identity = identity
        self.displayName = displayName
    }

    public var account: InfoHash { identity.accountID }
    public var device: LongID { identity.deviceID }
    var key: RSAPrivateKey { identity.key }
    private var chain: CertificateChain { identity.chain }

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
