public import Runtime

extension Certificate {
    /// Ten years of 365 days, the life that Jami gives to certificates.
    public static let lifetimeInSeconds: Int64 = 10 * 365 * 86_400

    /// Issues a certificate, byte for byte in the form that Jami gives to its own.
    ///
    /// Source: accounts protocol, "Keys and certificates".
    ///
    /// - Parameters:
    ///   - commonName: ASCII of the PrintableString alphabet, like `Jami device`.
    ///   - key: the subject's key.
    ///   - issuerCertificate: `nil` for one that signs itself.
    ///   - privateKey: the issuer's private key.
    ///   - isAuthority: whether it may issue others; a device's certificate gets no extensions at all.
    ///   - now: the start of the certificate's life.
    ///   - randomness: gives the serial number.
    /// - Returns: the certificate.
    /// - Throws: `KeyError.invalidParameter` for a name outside the alphabet or longer than 64 characters, or a private
    ///   key that is not the issuer's.
    public static func issue(
        commonName: String,
        for key: RSAPublicKey,
        by issuerCertificate: Certificate?,
        signedWith privateKey: RSAPrivateKey,
        isAuthority: Bool,
        now: WallTime,
        randomness: inout Randomness
    ) throws(KeyError) -> Certificate {
        try issue(
            commonName: commonName,
            for: key,
            by: issuerCertificate,
            signedWith: privateKey,
            isAuthority: isAuthority,
            now: now,
            serial: serial(using: &randomness)
        )
    }

    static func issue(
        commonName: String,
        for key: RSAPublicKey,
        by issuerCertificate: Certificate?,
        signedWith privateKey: RSAPrivateKey,
        isAuthority: Bool,
        now: WallTime,
        serial: [UInt8]
    ) throws(KeyError) -> Certificate {
        guard (1...64).contains(commonName.utf8.count), commonName.utf8.allSatisfy(isPrintable),
            privateKey.publicKey == issuerCertificate?.publicKey ?? key
        else { throw .invalidParameter }
        let subject = DistinguishedName(commonName: commonName, userID: key.shortID.hex)
        let digest: SignatureDigest = privateKey.publicKey.bitCount > 3_072 ? .sha384 : .sha256
        let algorithm = SignatureAlgorithm.rsaIdentifier(digest)
        let version: [UInt8] = [DERReader.Tag.context(0), 3, DERReader.Tag.integer, 1, 2]
        let body = DERWriter.sequence(
            version,
            DERWriter.element(DERReader.Tag.integer, serial),
            algorithm,
            (issuerCertificate?.subject ?? subject).der,
            DERWriter.sequence(
                DERWriter.time(CivilTime(secondsSince1970: now.seconds)),
                DERWriter.time(CivilTime(secondsSince1970: now.seconds + lifetimeInSeconds))
            ),
            subject.der,
            key.spki,
            isAuthority ? authorityExtensions(for: key) : []
        )
        let signature = try privateKey.sign(body, digest: digest)
        do throws(CertificateError) {
            return try Certificate(der: DERWriter.sequence(body, algorithm, DERWriter.bitString(signature)))
        } catch {
            throw .libraryFailure
        }
    }

    /// Eight bytes, positive, and in the shortest form of an integer.
    private static func serial(using randomness: inout Randomness) -> [UInt8] {
        var bytes = randomness.bytes(8)
        bytes[0] = bytes[0] & 0x3F | 0x40
        return bytes
    }

    private static func authorityExtensions(for key: RSAPublicKey) -> [UInt8] {
        let critical: [UInt8] = [DERReader.Tag.boolean, 1, 0xFF]
        func item(_ type: [UInt8], isCritical: Bool, _ content: [UInt8]) -> [UInt8] {
            let value = DERWriter.element(DERReader.Tag.octetString, content)
            return DERWriter.sequence(DERWriter.objectIdentifier(type), isCritical ? critical : [], value)
        }
        let identifier = DERWriter.element(DERReader.Tag.octetString, key.shortID.bytes)
        let list = DERWriter.sequence(
            item(CertificateExtension.subjectKeyIdentifier, isCritical: false, identifier),
            item(CertificateExtension.basicConstraints, isCritical: true, DERWriter.sequence(critical)),
            item(CertificateExtension.keyUsage, isCritical: true, [DERReader.Tag.bitString, 2, 1, 0x06])
        )
        return DERWriter.element(DERReader.Tag.context(3), list)
    }

    private static func isPrintable(_ character: UInt8) -> Bool {
        switch character {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: " '()+,-./:=?".utf8.contains(character)
        }
    }
}
