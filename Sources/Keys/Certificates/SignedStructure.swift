/// What certificates and revocation lists have in common: a body, the algorithm of its signature, and the signature.
struct SignedStructure {
    /// Where the whole body stands, which the signature covers.
    var bodyRange: Range<Int>
    /// Where the content of the body stands.
    var contentRange: Range<Int>
    private var algorithm: DERReader.Element
    var signature: [UInt8]

    init(_ der: [UInt8]) throws(DERReader.Failure) {
        var outer = DERReader(der)
        var parts = try outer.enter(DERReader.Tag.sequence)
        try outer.finish()
        let body = try parts.read(DERReader.Tag.sequence)
        bodyRange = body.whole
        contentRange = body.content
        algorithm = try parts.read(DERReader.Tag.sequence)
        let bits = try parts.read(DERReader.Tag.bitString)
        try parts.finish()
        guard let unused = der[bits.content].first, unused == 0 else { throw .unexpectedTag }
        signature = Array(der[bits.content.dropFirst()])
    }

    /// The algorithm, if it is a strong one and the copy of it inside the body says the same (RFC 5280 section 4.1.1.2).
    func algorithm(
        in der: [UInt8],
        agreeingWith copy: DERReader.Element
    ) throws(DERReader.Failure) -> SignatureAlgorithm? {
        guard der[copy.whole] == der[algorithm.whole] else { return nil }
        var identifier = DERReader(der, algorithm.content)
        let type = try identifier.read(DERReader.Tag.objectIdentifier).content
        return SignatureAlgorithm(objectIdentifier: identifier.slice(type))
    }
}

extension DERReader {
    /// A UTCTime or GeneralizedTime.
    mutating func readTime() throws(Failure) -> CivilTime {
        let element = try read()
        guard element.tag == Tag.utcTime || element.tag == Tag.generalizedTime,
            let time = CivilTime(digits: bytes[element.content], isShort: element.tag == Tag.utcTime)
        else { throw .unexpectedTag }
        return time
    }
}
