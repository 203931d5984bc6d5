extension Word {
    public init(wide number: UInt128) {
        self.init(high: 0, low: number)
    }

    /// The number, where it fits.
    public var wideInteger: UInt128? {
        let (high, low) = halves
        return high == 0 ? low : nil
    }

    /// The big-endian bytes without leading zeros; none for zero.
    public var minimalBytes: [UInt8] { Array(bytes.drop { $0 == 0 }) }

    /// A number of at most 32 big-endian bytes without leading zeros, otherwise `nil`.
    public init?(minimalBytes bytes: some Collection<UInt8>) {
        guard bytes.count <= Self.byteCount, bytes.first != 0 else { return nil }
        self.init(leftPadding: bytes)
    }
}

extension FixedWidthInteger where Self: UnsignedInteger {
    /// The big-endian bytes without leading zeros; none for zero.
    var minimalBytes: [UInt8] {
        let count = (Self.bitWidth - leadingZeroBitCount + 7) / 8
        return (0..<count).reversed().map { UInt8(truncatingIfNeeded: self >> Self(8 * $0)) }
    }

    /// A number from big-endian bytes without leading zeros; `nil` for others and for numbers that do not fit.
    init?(minimalBytes bytes: some Collection<UInt8>) {
        guard bytes.count <= Self.bitWidth / 8, bytes.first != 0 else { return nil }
        self = bytes.reduce(0) { $0 << 8 | Self($1) }
    }
}
