extension STUNMessage {
    /// The message on the wire, with FINGERPRINT last and MESSAGE-INTEGRITY before it when a key is given.
    ///
    /// Source: RFC 8489 §5, §14.
    public func encode(key: [UInt8]? = nil) -> [UInt8] {
        var bytes = type.bigEndianBytes + [0, 0] + Self.cookie.bigEndianBytes
        bytes += transaction.high.bigEndianBytes + transaction.low.bigEndianBytes
        for attribute in attributes { Self.append(attribute.type, attribute.value(in: transaction), to: &bytes) }
        if let key {
            let code = STUNIntegrity.compute(bytes[...], key: key)
            Self.append(STUNAttributeType.messageIntegrity, code, to: &bytes)
        }
        let end = bytes.count + 8
        let sum = STUNFingerprint.compute(bytes[...], attributeEnd: end)
        Self.append(STUNAttributeType.fingerprint, sum.bigEndianBytes, to: &bytes)
        STUNIntegrity.setLength(of: &bytes, attributeEnd: end)
        return bytes
    }

    private static func append(_ type: UInt16, _ value: [UInt8], to bytes: inout [UInt8]) {
        bytes += type.bigEndianBytes
        bytes += UInt16(truncatingIfNeeded: value.count).bigEndianBytes
        bytes += value
        bytes += [UInt8](repeating: 0, count: -value.count & 3)
    }
}

extension STUNAttribute {
    fileprivate func value(in transaction: STUNTransaction) -> [UInt8] {
        switch self {
        case .mappedAddress(let address): Self.encode(address)
        case .xorMappedAddress(let address): Self.masked(Self.encode(address), transaction)
        case .username(let value), .software(let value), .other(_, let value): value
        case .errorCode(let code, let reason): [0, 0, UInt8(code / 100 & 7), UInt8(code % 100)] + Array(reason.utf8)
        case .unknownAttributes(let types): types.flatMap(\.bigEndianBytes)
        case .priority(let value): value.bigEndianBytes
        case .useCandidate: []
        case .iceControlled(let tieBreaker), .iceControlling(let tieBreaker): tieBreaker.bigEndianBytes
        }
    }

    private static func encode(_ address: TransportAddress) -> [UInt8] {
        [0, address.host.isIPv6 ? 2 : 1] + address.port.bigEndianBytes + address.host.bytes
    }
}
