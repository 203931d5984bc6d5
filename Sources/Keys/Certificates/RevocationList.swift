public import Runtime

/// An X.509 list of the devices that an account has revoked.
///
/// Anybody may hand one over: it counts only where ``isSigned(by:)`` holds. Source: accounts protocol, "Revocation"; RFC
/// 5280 section 5.
public struct RevocationList: Sendable {
    /// One revoked certificate.
    public struct Entry: Sendable, Hashable {
        /// The content octets of the certificate's serial number, as they stand there.
        public var serial: [UInt8]
        public var date: WallTime

        public init(serial: [UInt8], date: WallTime) {
            self.serial = serial
            self.date = date
        }
    }

    /// The bytes as they were read.
    public let der: [UInt8]
    public let issuer: DistinguishedName
    public let issued: WallTime
    public let nextUpdate: WallTime?
    /// The content octets of the list's number, empty without one.
    public let number: [UInt8]
    public let entries: [Entry]

    private let revoked: Set<[UInt8]>
    private let signedRange: Range<Int>
    private let signature: [UInt8]
    private let algorithm: SignatureAlgorithm?

    private typealias Tag = DERReader.Tag

    /// Reads exactly one list in DER.
    ///
    /// - Throws: `CertificateError.malformed` or `.tooLarge`.
    public init(der: [UInt8]) throws(CertificateError) {
        guard der.count <= CertificateLimits.revocationListSize else { throw .tooLarge }
        do throws(DERReader.Failure) {
            try self.init(parsing: der)
        } catch {
            throw .malformed
        }
    }

    private init(parsing der: [UInt8]) throws(DERReader.Failure) {
        let structure = try SignedStructure(der)
        self.der = der
        signedRange = structure.bodyRange
        signature = structure.signature
        var body = DERReader(der, structure.contentRange)
        _ = try body.readIfPresent(Tag.integer)
        algorithm = try structure.algorithm(in: der, agreeingWith: body.read(Tag.sequence))
        issuer = try DistinguishedName(der, at: body.read(Tag.sequence))
        issued = WallTime(seconds: try body.readTime().secondsSince1970)
        if body.nextTag == Tag.utcTime || body.nextTag == Tag.generalizedTime {
            nextUpdate = WallTime(seconds: try body.readTime().secondsSince1970)
        } else {
            nextUpdate = nil
        }
        var entries: [Entry] = []
        if body.nextTag == Tag.sequence {
            var list = try body.enter(Tag.sequence)
            while !list.isAtEnd {
                var item = try list.enter(Tag.sequence)
                let serial = item.slice(try item.read(Tag.integer).content)
                entries.append(Entry(serial: serial, date: WallTime(seconds: try item.readTime().secondsSince1970)))
            }
        }
        self.entries = entries
        revoked = Set(entries.map(\.serial))
        var number: [UInt8] = []
        if body.nextTag == Tag.context(0) {
            var wrapper = try body.enter(Tag.context(0))
            var extensions = try wrapper.enter(Tag.sequence)
            while !extensions.isAtEnd {
                var item = try extensions.enter(Tag.sequence)
                let type = item.slice(try item.read(Tag.objectIdentifier).content)
                _ = try item.readIfPresent(Tag.boolean)
                let value = try item.read(Tag.octetString).content
                guard type == CertificateExtension.revocationListNumber else { continue }
                var content = DERReader(der, value)
                number = content.slice(try content.read(Tag.integer).content)
            }
        }
        self.number = number
        try body.finish()
    }

    /// Whether a certificate names and signed this list, and may sign at all.
    public func isSigned(by certificate: Certificate) -> Bool {
        guard let algorithm, issuer == certificate.subject, certificate.isAuthority,
            algorithm.isRSA == certificate.publicKey.isRSA
        else { return false }
        return certificate.publicKey.isValidSignature(
            signature,
            for: Array(der[signedRange]),
            digest: algorithm.digest
        )
    }

    /// Whether a certificate is of this list's issuer and on the list; says nothing about who made the list.
    public func revokes(_ certificate: Certificate) -> Bool {
        issuer == certificate.issuer && revoked.contains(certificate.serial)
    }
}

extension RevocationList: Hashable {
    public static func == (left: RevocationList, right: RevocationList) -> Bool {
        left.der == right.der
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(der)
    }
}

extension RevocationList {
    /// Makes a list, byte for byte in the form of Jami's; it is to last as long as the issuer's certificate.
    ///
    /// - Parameters:
    ///   - entries: all revoked certificates, those of earlier lists too.
    ///   - issuer: the certificate of the account.
    ///   - privateKey: the private key of the account.
    ///   - number: eight bytes, higher than in the list before by one.
    ///   - now: the time of issue.
    /// - Returns: the list.
    /// - Throws: `KeyError.invalidParameter` for a key that is not the issuer's.
    public static func issue(
        revoking entries: [Entry],
        by issuer: Certificate,
        signedWith privateKey: RSAPrivateKey,
        number: [UInt8],
        now: WallTime
    ) throws(KeyError) -> RevocationList {
        guard privateKey.publicKey == issuer.publicKey, !number.isEmpty else { throw .invalidParameter }
        func time(_ time: WallTime) -> [UInt8] { DERWriter.time(CivilTime(secondsSince1970: time.seconds)) }
        let algorithm = SignatureAlgorithm.rsaIdentifier(.sha512)
        var list: [UInt8] = []
        for entry in entries {
            list += DERWriter.sequence(DERWriter.element(Tag.integer, entry.serial), time(entry.date))
        }
        let value = DERWriter.element(Tag.octetString, DERWriter.element(Tag.integer, number))
        let numberItem = DERWriter.sequence(
            DERWriter.objectIdentifier(CertificateExtension.revocationListNumber),
            value
        )
        let body = DERWriter.sequence(
            [Tag.integer, 1, 1],
            algorithm,
            issuer.subject.der,
            time(now),
            time(issuer.notAfter),
            entries.isEmpty ? [] : DERWriter.element(Tag.sequence, list),
            DERWriter.element(Tag.context(0), DERWriter.sequence(numberItem))
        )
        let signature = try privateKey.sign(body, digest: .sha512)
        do throws(CertificateError) {
            return try RevocationList(der: DERWriter.sequence(body, algorithm, DERWriter.bitString(signature)))
        } catch {
            throw .invalidParameter
        }
    }
}
