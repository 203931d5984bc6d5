/// The name of the subject or issuer of a certificate.
///
/// Compared by its bytes, as the peers do.
public struct DistinguishedName: Sendable, Hashable {
    /// The whole DER Name.
    public let der: [UInt8]
    public let commonName: String?
    /// The UID attribute, which holds the short id of the key in hexadecimal.
    public let userID: String?

    static let commonNameType: [UInt8] = [0x55, 0x04, 0x03]
    static let userIDType: [UInt8] = [0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x01]

    /// The name that Jami gives: CN and UID, both PrintableString.
    init(commonName: String, userID: String) {
        func attribute(_ type: [UInt8], _ text: String) -> [UInt8] {
            let pair = DERWriter.sequence(DERWriter.objectIdentifier(type), DERWriter.printableString(text))
            return DERWriter.element(DERReader.Tag.set, pair)
        }
        der = DERWriter.sequence(attribute(Self.commonNameType, commonName), attribute(Self.userIDType, userID))
        self.commonName = commonName
        self.userID = userID
    }

    /// Reads the Name whose whole element stands at a range.
    init(_ bytes: [UInt8], at element: DERReader.Element) throws(DERReader.Failure) {
        var names = DERReader(bytes, element.content)
        var commonName: String?
        var userID: String?
        while !names.isAtEnd {
            var attributes = try names.enter(DERReader.Tag.set)
            while !attributes.isAtEnd {
                var attribute = try attributes.enter(DERReader.Tag.sequence)
                let type = attribute.slice(try attribute.read(DERReader.Tag.objectIdentifier).content)
                let value = try attribute.read()
                guard type == Self.commonNameType || type == Self.userIDType else { continue }
                let text = Self.text(attribute.slice(value.content), tag: value.tag)
                if type == Self.commonNameType { commonName = text } else { userID = text }
            }
        }
        der = Array(bytes[element.whole])
        self.commonName = commonName
        self.userID = userID
    }

    /// Text of the one-byte string types and UTF-8; `nil` for the others, which Jami never writes.
    private static func text(_ bytes: [UInt8], tag: UInt8) -> String? {
        switch tag {
        case 0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A: String(validating: bytes, as: UTF8.self)
        default: nil
        }
    }
}
