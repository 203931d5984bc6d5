/// A signature of secp256k1 that its signer can be recovered from.
public struct Signature: Hashable, Sendable {
    public let r: Word
    public let s: Word
    /// Which of the two points with this `r` was used: 0 or 1.
    public let parity: UInt8

    /// `nil` for a parity that is neither 0 nor 1.
    public init?(r: Word, s: Word, parity: UInt8) {
        guard parity <= 1 else { return nil }
        self.r = r
        self.s = s
        self.parity = parity
    }

    /// 65 bytes, `r ‖ s ‖ v`, with `v` 0 or 1 or, as wallets write it, 27 or 28; otherwise `nil`.
    public init?(_ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == 65, let r = Word(bytes[..<32]), let s = Word(bytes[32..<64]) else { return nil }
        self.init(r: r, s: s, parity: bytes[64] >= 27 ? bytes[64] - 27 : bytes[64])
    }

    /// 65 bytes, `r ‖ s ‖ parity`.
    public var bytes: [UInt8] { r.bytes + s.bytes + [parity] }

    /// The parity as contracts take it: 27 or 28.
    public var v: UInt8 { 27 + parity }

    /// Whether `s` is in the lower half, the only one of two equal signatures that transactions and owners may use.
    ///
    /// Source: EIP-2.
    public var isLow: Bool { s <= Self.halfOrder }

    private static let halfOrder = Word(
        high: 0x7FFF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF,
        low: 0x5D57_6E73_57A4_501D_DFE9_2F46_681B_20A0
    )
}

/// Why there is no signature, or nobody who made it.
public enum SignatureError: Error, Hashable, Sendable {
    /// Not a valid secret.
    case invalidKey
    /// Numbers outside of the curve's order, or no point with them.
    case invalidSignature
}
