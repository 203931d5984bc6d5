import Runtime

/// The fields of a certificate, taken apart (RFC 5280 section 4.1).
struct CertificateParts {
    var signedRange: Range<Int>
    var signatureAlgorithm: SignatureAlgorithm?
    var signature: [UInt8]
    var serial: [UInt8]
    var issuer: DistinguishedName
    var subject: DistinguishedName
    var notBefore: WallTime
    var notAfter: WallTime
    var spki: [UInt8]
    var isAuthority = false
    var pathLimit: Int?

    private typealias Tag = DERReader.Tag

    init(_ der: [UInt8]) throws(DERReader.Failure) {
        var outer = DERReader(der)
        var certificate = try outer.enter(Tag.sequence)
        try outer.finish()
        let signed = try certificate.read(Tag.sequence)
        signedRange = signed.whole
        let algorithm = try certificate.read(Tag.sequence)
        let bits = try certificate.read(Tag.bitString)
        try certificate.finish()
        guard let unused = der[bits.content].first, unused == 0 else { throw .unexpectedTag }
        signature = Array(der[bits.content.dropFirst()])

        var body = DERReader(der, signed.content)
        _ = try body.readIfPresent(Tag.context(0))
        serial = body.slice(try body.read(Tag.integer).content)
        let innerAlgorithm = try body.read(Tag.sequence)
        // Both copies of the algorithm must agree (RFC 5280 section 4.1.1.2), or the signature counts as unknown.
        if der[innerAlgorithm.whole] == der[algorithm.whole] {
            var identifier = DERReader(der, algorithm.content)
            let type = try identifier.read(Tag.objectIdentifier).content
            signatureAlgorithm = SignatureAlgorithm(objectIdentifier: identifier.slice(type))
        }
        issuer = try DistinguishedName(der, at: try body.read(Tag.sequence))
        var validity = try body.enter(Tag.sequence)
        notBefore = try Self.time(&validity)
        notAfter = try Self.time(&validity)
        subject = try DistinguishedName(der, at: try body.read(Tag.sequence))
        spki = body.slice(try body.read(Tag.sequence).whole)
        // The unique ids of version 2 have the tags 1 and 2.
        _ = try body.readIfPresent(0x81)
        _ = try body.readIfPresent(0x82)
        if body.nextTag == Tag.context(3) {
            var wrapper = try body.enter(Tag.context(3))
            try readExtensions(try wrapper.enter(Tag.sequence))
        }
        try body.finish()
    }

    private static func time(_ reader: inout DERReader) throws(DERReader.Failure) -> WallTime {
        let element = try reader.read()
        guard element.tag == Tag.utcTime || element.tag == Tag.generalizedTime,
            let time = CivilTime(digits: reader.bytes[element.content], isShort: element.tag == Tag.utcTime)
        else { throw .unexpectedTag }
        return WallTime(seconds: time.secondsSince1970)
    }

    private mutating func readExtensions(_ list: DERReader) throws(DERReader.Failure) {
        var list = list
        var basicConstraints = false
        var permitsSigning: Bool?
        while !list.isAtEnd {
            var item = try list.enter(Tag.sequence)
            let type = item.slice(try item.read(Tag.objectIdentifier).content)
            var isCritical = false
            if let flag = try item.readIfPresent(Tag.boolean) {
                isCritical = item.bytes[flag.content].contains { $0 != 0 }
            }
            let value = try item.read(Tag.octetString).content
            switch type {
            case CertificateExtension.basicConstraints:
                var content = DERReader(item.bytes, value)
                var fields = try content.enter(Tag.sequence)
                if let flag = try fields.readIfPresent(Tag.boolean) {
                    basicConstraints = item.bytes[flag.content].contains { $0 != 0 }
                }
                if let limit = try fields.readIfPresent(Tag.integer) {
                    let octets = item.bytes[limit.content]
                    pathLimit = octets.count == 1 ? Int(octets[octets.startIndex]) : .max
                }
            case CertificateExtension.keyUsage:
                var content = DERReader(item.bytes, value)
                let bits = item.bytes[try content.read(Tag.bitString).content]
                let certificateSigning: UInt8 = 0x04
                let first = bits.dropFirst().first ?? 0
                permitsSigning = !isCritical || first & certificateSigning != 0
            default: break
            }
        }
        isAuthority = basicConstraints && permitsSigning == true
    }
}

/// The types of the extensions that matter here, as the content of their object identifiers.
enum CertificateExtension {
    static let subjectKeyIdentifier: [UInt8] = [0x55, 0x1D, 0x0E]
    static let keyUsage: [UInt8] = [0x55, 0x1D, 0x0F]
    static let basicConstraints: [UInt8] = [0x55, 0x1D, 0x13]
}
