/// A STUN message as a value, without its integrity and fingerprint attributes.
///
/// Source: RFC 8489 §5, §14; RFC 8445 §16.1.
public struct STUNMessage: Hashable, Sendable {
    public enum Class: UInt8, Hashable, Sendable {
        case request = 0
        case indication = 1
        case success = 2
        case error = 3
    }

    public var kind: Class
    /// Twelve bits; ``binding`` is the only one that ICE uses.
    public var method: UInt16
    public var transaction: STUNTransaction
    public var attributes: [STUNAttribute]

    public static let binding: UInt16 = 0x0001
    static let cookie: UInt32 = 0x2112_A442
    static let headerByteCount = 20

    public init(kind: Class, method: UInt16 = binding, transaction: STUNTransaction, attributes: [STUNAttribute] = []) {
        self.kind = kind
        self.method = method & 0x0FFF
        self.transaction = transaction
        self.attributes = attributes
    }

    /// The message type field: twelve bits of method interleaved with two bits of class.
    var type: UInt16 {
        let spread = (method & 0xF80) << 2 | (method & 0x070) << 1 | method & 0x00F
        return spread | UInt16(kind.rawValue & 2) << 7 | UInt16(kind.rawValue & 1) << 4
    }

    init?(type: UInt16, transaction: STUNTransaction, attributes: [STUNAttribute]) {
        guard type & 0xC000 == 0 else { return nil }
        guard let kind = Class(rawValue: UInt8((type >> 7 & 2) | (type >> 4 & 1))) else { return nil }
        let method = (type >> 2 & 0xF80) | (type >> 1 & 0x070) | type & 0x00F
        self.init(kind: kind, method: method, transaction: transaction, attributes: attributes)
    }
}

/// The 96-bit transaction id of a STUN message.
public struct STUNTransaction: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt32

    public init(high: UInt64, low: UInt32) {
        self.high = high
        self.low = low
    }
}

/// A STUN attribute that this library reads; everything else is kept as ``other(type:value:)``.
public enum STUNAttribute: Hashable, Sendable {
    case mappedAddress(TransportAddress)
    case xorMappedAddress(TransportAddress)
    case username([UInt8])
    case errorCode(Int, reason: String)
    case unknownAttributes([UInt16])
    /// The raw bytes, since some writers count padding as part of the text.
    case software([UInt8])
    case priority(UInt32)
    case useCandidate
    case iceControlled(tieBreaker: UInt64)
    case iceControlling(tieBreaker: UInt64)
    case other(type: UInt16, value: [UInt8])

    /// The registered number of the attribute.
    public var type: UInt16 {
        switch self {
        case .mappedAddress: STUNAttributeType.mappedAddress
        case .xorMappedAddress: STUNAttributeType.xorMappedAddress
        case .username: STUNAttributeType.username
        case .errorCode: STUNAttributeType.errorCode
        case .unknownAttributes: STUNAttributeType.unknownAttributes
        case .software: STUNAttributeType.software
        case .priority: STUNAttributeType.priority
        case .useCandidate: STUNAttributeType.useCandidate
        case .iceControlled: STUNAttributeType.iceControlled
        case .iceControlling: STUNAttributeType.iceControlling
        case .other(let type, _): type
        }
    }
}

/// Attribute numbers.
///
/// Source: RFC 8489 §18.3, RFC 8445 §20.1.
enum STUNAttributeType {
    static let mappedAddress: UInt16 = 0x0001
    static let username: UInt16 = 0x0006
    static let messageIntegrity: UInt16 = 0x0008
    static let errorCode: UInt16 = 0x0009
    static let unknownAttributes: UInt16 = 0x000A
    static let xorMappedAddress: UInt16 = 0x0020
    static let priority: UInt16 = 0x0024
    static let useCandidate: UInt16 = 0x0025
    static let software: UInt16 = 0x8022
    static let fingerprint: UInt16 = 0x8028
    static let iceControlled: UInt16 = 0x8029
    static let iceControlling: UInt16 = 0x802A

    /// Whether a reader that does not know the attribute must refuse the message.
    static func mustBeUnderstood(_ type: UInt16) -> Bool {
        type < 0x8000
    }
}

/// Why bytes are not a STUN message.
public enum STUNError: Error, Equatable, Sendable {
    /// Not the shape of STUN: first bits, cookie, or a length that disagrees with the bytes.
    case notSTUN
    /// An attribute that ends behind the message.
    case truncatedAttribute(UInt16)
    /// An attribute whose value does not have its form.
    case malformedAttribute(UInt16)
    /// More attributes than ``STUNLimits/attributes``.
    case tooManyAttributes
    /// More bytes than ``STUNLimits/byteCount``.
    case tooLong
    /// A fingerprint that is wrong, or not the last attribute.
    case wrongFingerprint
    /// Bytes follow the integrity attribute that are not a fingerprint.
    case bytesBehindIntegrity
}

/// What a STUN reader accepts at most.
public enum STUNLimits {
    /// Bytes in one message.
    public static let byteCount = 2048
    /// Attributes in one message.
    public static let attributes = 32
}
