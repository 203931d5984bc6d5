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
        let structure = try SignedStructure(der)
        signedRange = structure.bodyRange
        signature = structure.signature
        var body = DERReader(der, structure.contentRange)
        _ = try body.readIfPresent(Tag.context(0))
        serial = body.slice(try body.read(Tag.integer).content)
        signatureAlgorithm = try structure.algorithm(in: der, agreeingWith: body.read(Tag.sequence))
        issuer = try DistinguishedName(der, at: try body.read(Tag.sequence))
        var validity = try body.enter(Tag.sequence)
        notBefore = WallTime(seconds: try validity.readTime().secondsSince1970)
        notAfter = WallTime(seconds: try validity.readTime().secondsSince1970)
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
    static let revocationListNumber: [UInt8] = [0x55, 0x1D, 0x14]
    static let subjectKeyIdentifier: [UInt8] = [0x55, 0x1D, 0x0E]
    static let keyUsage: [UInt8] = [0x55, 0x1D, 0x0F]
    static let basicConstraints: [UInt8] = [0x55, 0x1D, 0x13]
}
