package import Keys

/// Bit 0 is the most significant one. Source: DHT protocol, "Identifiers and hashing".
extension InfoHash {
    /// The position of the last bit that is set; -1 for zero.
    package var lowBit: Int {
        if low != 0 { return 159 - low.trailingZeroBitCount }
        if middle != 0 { return 127 - middle.trailingZeroBitCount }
        return high != 0 ? 63 - high.trailingZeroBitCount : -1
    }

    /// How many leading bits two ids share.
    package func commonBits(with other: InfoHash) -> Int {
        let difference = self ^ other
        if difference.high != 0 { return difference.high.leadingZeroBitCount }
        if difference.middle != 0 { return 64 + difference.middle.leadingZeroBitCount }
        return 128 + difference.low.leadingZeroBitCount
    }

    package func settingBit(_ position: Int) -> InfoHash {
        var result = self
        switch position {
        case 0..<64: result.high |= 1 << UInt64(63 - position)
        case 64..<128: result.middle |= 1 << UInt64(127 - position)
        case 128..<160: result.low |= 1 << UInt32(159 - position)
        default: break
        }
        return result
    }

    /// This id with all bits from a position on taken from another one.
    package func takingBits(from other: InfoHash, after position: Int) -> InfoHash {
        let ones = UInt64.max
        let highMask = position >= 64 ? 0 : ones >> UInt64(max(position, 0))
        let middleMask = position >= 128 ? 0 : position <= 64 ? ones : ones >> UInt64(position - 64)
        let lowMask = position >= 160 ? 0 : position <= 128 ? UInt32.max : UInt32.max >> UInt32(position - 128)
        return InfoHash(
            high: high & ~highMask | other.high & highMask,
            middle: middle & ~middleMask | other.middle & middleMask,
            low: low & ~lowMask | other.low & lowMask
        )
    }
}
