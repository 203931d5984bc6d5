/// A public key, taken apart before the bytes reach a library that knows many more algorithms than are wanted.
///
/// Source: RFC 5280 section 4.1.2.7, RFC 8017 appendix A.1.1, RFC 5480.
enum SubjectPublicKeyInfo {
    /// The numbers of an RSA key, big-endian without leading zeros.
    case rsa(modulus: [UInt8], exponent: [UInt8])
    /// A key on a NIST curve.
    case elliptic

    /// The longest accepted key: an RSA key of 8192 bits with an exponent as long.
    static let maximumSize = 2_200

    static let rsaEncryption: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]
    private static let ellipticKey: [UInt8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]
    private static let curves: Set<[UInt8]> = [
        [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07],
        [0x2B, 0x81, 0x04, 0x00, 0x22],
        [0x2B, 0x81, 0x04, 0x00, 0x23],
    ]

    init(_ spki: [UInt8]) throws(KeyError) {
        guard spki.count <= Self.maximumSize else { throw .unsupported }
        let known: SubjectPublicKeyInfo?
        do throws(DERReader.Failure) {
            known = try Self.read(spki)
        } catch {
            throw .malformed
        }
        guard let known else { throw .unsupported }
        self = known
    }

    /// The key, or `nil` for one of another algorithm.
    private static func read(_ spki: [UInt8]) throws(DERReader.Failure) -> SubjectPublicKeyInfo? {
        var outer = DERReader(spki)
        var info = try outer.enter(DERReader.Tag.sequence)
        try outer.finish()
        var algorithm = try info.enter(DERReader.Tag.sequence)
        let identifier = algorithm.slice(try algorithm.read(DERReader.Tag.objectIdentifier).content)
        let bits = try info.read(DERReader.Tag.bitString).content
        try info.finish()
        guard let unused = spki[bits].first, unused == 0 else { throw .unexpectedTag }
        if identifier == rsaEncryption {
            var key = DERReader(spki, bits.lowerBound + 1..<bits.upperBound)
            var numbers = try key.enter(DERReader.Tag.sequence)
            try key.finish()
            let modulus = try readPositive(&numbers)
            let exponent = try readPositive(&numbers)
            try numbers.finish()
            return .rsa(modulus: modulus, exponent: exponent)
        }
        guard identifier == ellipticKey, algorithm.nextTag == DERReader.Tag.objectIdentifier else { return nil }
        let curve = algorithm.slice(try algorithm.read(DERReader.Tag.objectIdentifier).content)
        return curves.contains(curve) ? .elliptic : nil
    }

    private static func readPositive(_ reader: inout DERReader) throws(DERReader.Failure) -> [UInt8] {
        let content = reader.slice(try reader.read(DERReader.Tag.integer).content)
        let number = Array(content.drop { $0 == 0 })
        guard let first = content.first, first & 0x80 == 0, !number.isEmpty else { throw .unexpectedTag }
        return number
    }

    /// The canonical DER form, of which the ids of a key are hashes.
    static func encode(modulus: [UInt8], exponent: [UInt8]) -> [UInt8] {
        func integer(_ number: [UInt8]) -> [UInt8] {
            DERWriter.element(DERReader.Tag.integer, number[0] & 0x80 == 0 ? number : [0] + number)
        }
        let algorithm = DERWriter.sequence(DERWriter.objectIdentifier(rsaEncryption), [DERReader.Tag.null, 0])
        let numbers = DERWriter.sequence(integer(modulus), integer(exponent))
        return DERWriter.sequence(algorithm, DERWriter.bitString(numbers))
    }
}
