import Crypto

/// MESSAGE-INTEGRITY: HMAC-SHA1 with the password as key.
///
/// Source: RFC 8489 §14.5.
enum STUNIntegrity {
    static let byteCount = 20

    /// The code over a message up to the attribute, with the header's length as if the attribute were the last one.
    static func compute(_ message: ArraySlice<UInt8>, key: [UInt8]) -> [UInt8] {
        var bytes = Array(message)
        setLength(of: &bytes, attributeEnd: bytes.count + 4 + byteCount)
        return Array(HMAC<Insecure.SHA1>.authenticationCode(for: bytes, using: SymmetricKey(data: key)))
    }

    static func setLength(of bytes: inout [UInt8], attributeEnd end: Int) {
        let length = UInt16(truncatingIfNeeded: end - STUNMessage.headerByteCount).bigEndianBytes
        bytes.replaceSubrange(2..<4, with: length)
    }

    /// Compares in time that depends on the lengths alone.
    static func isEqual(_ left: [UInt8], _ right: ArraySlice<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// FINGERPRINT: CRC-32 with a mask that tells it from other checksums.
///
/// Source: RFC 8489 §14.7.
enum STUNFingerprint {
    private static let mask: UInt32 = 0x5354_554E

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }

    static func compute(_ message: ArraySlice<UInt8>, attributeEnd end: Int) -> UInt32 {
        var bytes = Array(message)
        STUNIntegrity.setLength(of: &bytes, attributeEnd: end)
        let sum = bytes.reduce(UInt32.max) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
        return ~sum ^ mask
    }
}
