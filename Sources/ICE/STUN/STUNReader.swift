import Crypto

/// A STUN message as it was received, with what is needed to check who sent it.
public struct ReceivedSTUNMessage: Sendable {
    public let message: STUNMessage
    /// Whether the message carries MESSAGE-INTEGRITY; ``isAuthentic(key:)`` tells whether it is right.
    public var hasIntegrity: Bool { integrityOffset != nil }

    private let bytes: [UInt8]
    private let integrityOffset: Int?

    /// Whether bytes have the shape of STUN: leading zero bits, the magic cookie, and a consistent length.
    ///
    /// Everything else on an ICE-TCP connection is application data. Source: RFC 8489 §5, peer connections protocol,
    /// "Framing".
    public static func hasForm(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
        guard bytes.count >= STUNMessage.headerByteCount, bytes.count % 4 == 0 else { return false }
        func byte(_ offset: Int) -> Int { Int(bytes[bytes.index(bytes.startIndex, offsetBy: offset)]) }
        guard byte(0) < 0x40, byte(4) == 0x21, byte(5) == 0x12, byte(6) == 0xA4, byte(7) == 0x42 else { return false }
        return byte(2) << 8 | byte(3) == bytes.count - STUNMessage.headerByteCount
    }

    /// Reads exactly one message.
    public init(_ bytes: [UInt8]) throws(STUNError) {
        guard Self.hasForm(bytes) else { throw .notSTUN }
        guard bytes.count <= STUNLimits.byteCount else { throw .tooLong }
        let transaction = STUNTransaction(high: bytes.bigEndian(at: 8), low: bytes.bigEndian(at: 16))
        var attributes: [STUNAttribute] = []
        var integrityOffset: Int?
        var offset = STUNMessage.headerByteCount
        while offset < bytes.count {
            // The message length is a multiple of four, so a header is whole here.
            let type: UInt16 = bytes.bigEndian(at: offset)
            let length = Int(bytes.bigEndian(at: offset + 2) as UInt16)
            let start = offset + 4
            let end = start + length
            guard end <= bytes.count else { throw .truncatedAttribute(type) }
            if type == STUNAttributeType.fingerprint {
                guard length == 4, end == bytes.count else { throw .wrongFingerprint }
                let expected = STUNFingerprint.compute(bytes[..<offset], attributeEnd: end)
                guard bytes.bigEndian(at: start) == expected else { throw .wrongFingerprint }
            } else if integrityOffset != nil {
                throw .bytesBehindIntegrity
            } else if type == STUNAttributeType.messageIntegrity {
                guard length == STUNIntegrity.byteCount else { throw .malformedAttribute(type) }
                integrityOffset = offset
            } else {
                guard attributes.count < STUNLimits.attributes else { throw .tooManyAttributes }
                attributes.append(try STUNAttribute(type: type, value: bytes[start..<end], transaction: transaction))
            }
            offset = min(end + -length & 3, bytes.count)
        }
        let type: UInt16 = bytes.bigEndian(at: 0)
        guard let message = STUNMessage(type: type, transaction: transaction, attributes: attributes) else {
            throw .notSTUN
        }
        self.message = message
        self.bytes = bytes
        self.integrityOffset = integrityOffset
    }

    /// Whether MESSAGE-INTEGRITY is present and made with a key; compared in constant time.
    ///
    /// Source: RFC 8489 §14.5.
    public func isAuthentic(key: [UInt8]) -> Bool {
        guard let integrityOffset else { return false }
        let expected = STUNIntegrity.compute(bytes[..<integrityOffset], key: key)
        let start = integrityOffset + 4
        return STUNIntegrity.isEqual(expected, bytes[start..<start + STUNIntegrity.byteCount])
    }
}

extension STUNMessage {
    public var username: [UInt8]? {
        for case .username(let value) in attributes { return value }
        return nil
    }

    public var priority: UInt32? {
        for case .priority(let value) in attributes { return value }
        return nil
    }

    public var mappedAddress: TransportAddress? {
        for case .xorMappedAddress(let address) in attributes { return address }
        for case .mappedAddress(let address) in attributes { return address }
        return nil
    }

    public var errorCode: Int? {
        for case .errorCode(let code, _) in attributes { return code }
        return nil
    }

    public var nominates: Bool { attributes.contains(.useCandidate) }

    /// Numbers of attributes that must be understood and are not.
    var notUnderstood: [UInt16] {
        attributes.compactMap { attribute in
            guard case .other(let type, _) = attribute else { return nil }
            return STUNAttributeType.mustBeUnderstood(type) ? type : nil
        }
    }
}

extension STUNAttribute {
    init(type: UInt16, value: ArraySlice<UInt8>, transaction: STUNTransaction) throws(STUNError) {
        func number<T: FixedWidthInteger>(_: T.Type) throws(STUNError) -> T {
            guard value.count == T.bitWidth / 8 else { throw .malformedAttribute(type) }
            return value.reduce(0) { $0 << 8 | T($1) }
        }
        switch type {
        case STUNAttributeType.mappedAddress:
            guard let address = Self.address(value) else { throw .malformedAttribute(type) }
            self = .mappedAddress(address)
        case STUNAttributeType.xorMappedAddress:
            guard let address = Self.address(Self.masked(value, transaction)) else { throw .malformedAttribute(type) }
            self = .xorMappedAddress(address)
        case STUNAttributeType.username:
            self = .username(Array(value))
        case STUNAttributeType.errorCode:
            let bytes = Array(value)
            guard bytes.count >= 4, (3...6).contains(bytes[2] & 7), bytes[3] < 100 else {
                throw .malformedAttribute(type)
            }
            let reason = String(decoding: bytes.dropFirst(4), as: UTF8.self)
            self = .errorCode(Int(bytes[2] & 7) * 100 + Int(bytes[3]), reason: reason)
        case STUNAttributeType.unknownAttributes:
            let bytes = Array(value)
            guard bytes.count % 2 == 0 else { throw .malformedAttribute(type) }
            self = .unknownAttributes(stride(from: 0, to: bytes.count, by: 2).map { bytes.bigEndian(at: $0) })
        case STUNAttributeType.software:
            self = .software(Array(value))
        case STUNAttributeType.priority:
            self = .priority(try number(UInt32.self))
        case STUNAttributeType.useCandidate:
            guard value.isEmpty else { throw .malformedAttribute(type) }
            self = .useCandidate
        case STUNAttributeType.iceControlled:
            self = .iceControlled(tieBreaker: try number(UInt64.self))
        case STUNAttributeType.iceControlling:
            self = .iceControlling(tieBreaker: try number(UInt64.self))
        default:
            self = .other(type: type, value: Array(value))
        }
    }

    private static func address(_ value: some Collection<UInt8>) -> TransportAddress? {
        let bytes = Array(value)
        guard bytes.count == 8 && bytes[1] == 1 || bytes.count == 20 && bytes[1] == 2 else { return nil }
        return TransportAddress(networkBytes: bytes[4...], port: bytes.bigEndian(at: 2))
    }

    /// XOR of port and address with cookie and transaction id.
    ///
    /// Source: RFC 8489 §14.2.
    static func masked(_ value: some Collection<UInt8>, _ transaction: STUNTransaction) -> [UInt8] {
        let mask = STUNMessage.cookie.bigEndianBytes + transaction.high.bigEndianBytes + transaction.low.bigEndianBytes
        return value.enumerated().map { index, byte in
            switch index {
            case 0, 1: byte
            case 2, 3: byte ^ mask[index - 2]
            default: byte ^ mask[(index - 4) % mask.count]
            }
        }
    }
}

extension [UInt8] {
    /// A big-endian number; zero where the bytes end early.
    func bigEndian<T: FixedWidthInteger>(at offset: Int) -> T {
        guard offset >= 0, offset + T.bitWidth / 8 <= count else { return 0 }
        return self[offset..<offset + T.bitWidth / 8].reduce(0) { $0 << 8 | T($1) }
    }
}
