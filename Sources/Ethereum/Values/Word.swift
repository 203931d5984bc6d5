import Keys
import Runtime

/// The 32 bytes that a chain computes with: a hash, a storage key, a slot, a number in big-endian order.
public struct Word: Hashable, Comparable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    public static let byteCount = 32
    public static let zero = Word(0)

    /// Exactly 32 bytes, otherwise `nil`.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init(Array(bytes))
    }

    // Not generic, since words are read from rows many thousand times a second.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init(in: bytes.span, at: 0)
    }

    /// 64 hexadecimal digits, with or without `0x`, otherwise `nil`.
    public init?(hex text: some StringProtocol) {
        let digits = Hexadecimal.withoutPrefix(text)
        guard digits.utf8.count == 2 * Self.byteCount, let bytes = Hexadecimal.decode(digits) else { return nil }
        self.init(bytes)
    }

    public init(_ number: UInt64) {
        words = (0, 0, 0, number)
    }

    /// An address in the last twenty bytes, as contracts hold it.
    public init(_ address: Address) {
        let hash = address.hash
        words = (0, hash.high >> 32, hash.high << 32 | hash.middle >> 32, hash.middle << 32 | UInt64(hash.low))
    }

    /// The 32 bytes at an offset, which must lie inside.
    init(in bytes: Span<UInt8>, at offset: Int) {
        func word(_ start: Int) -> UInt64 {
            var word: UInt64 = 0
            for index in start..<start + 8 { word = word << 8 | UInt64(bytes[index]) }
            return word
        }
        words = (word(offset), word(offset + 8), word(offset + 16), word(offset + 24))
    }

    init(high: UInt128, low: UInt128) {
        words = (
            UInt64(truncatingIfNeeded: high >> 64), UInt64(truncatingIfNeeded: high),
            UInt64(truncatingIfNeeded: low >> 64), UInt64(truncatingIfNeeded: low)
        )
    }

    var halves: (high: UInt128, low: UInt128) {
        (UInt128(words.0) << 64 | UInt128(words.1), UInt128(words.2) << 64 | UInt128(words.3))
    }

    /// The Keccak-256 hash of bytes.
    public init(hashing bytes: [UInt8]) {
        words = Keccak256.words(unsafe bytes.span.bytes)
    }

    /// The Keccak-256 hash of borrowed bytes.
    public init(hashing bytes: RawSpan) {
        words = Keccak256.words(bytes)
    }

    /// At most 32 bytes at the end; more are cut off in front.
    init(leftPadding bytes: some Collection<UInt8>) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        for byte in bytes {
            words.0 = words.0 << 8 | words.1 >> 56
            words.1 = words.1 << 8 | words.2 >> 56
            words.2 = words.2 << 8 | words.3 >> 56
            words.3 = words.3 << 8 | UInt64(byte)
        }
        self.words = words
    }

    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.byteCount)
        for word in [words.0, words.1, words.2, words.3] {
            for shift in stride(from: 56, through: 0, by: -8) {
                result.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        return result
    }

    /// `0x` and 64 lower-case hexadecimal digits.
    public var hex: String { "0x" + Hexadecimal.encode(bytes) }
    public var isZero: Bool { words == (0, 0, 0, 0) }

    /// The address in the last twenty bytes; `nil` where the first twelve are not zero.
    public var address: Address? {
        guard words.0 == 0, words.1 >> 32 == 0 else { return nil }
        return Address(
            InfoHash(
                high: words.1 << 32 | words.2 >> 32,
                middle: words.2 << 32 | words.3 >> 32,
                low: UInt32(truncatingIfNeeded: words.3)
            )
        )
    }

    /// The number, where it fits.
    public var integer: UInt64? {
        words.0 == 0 && words.1 == 0 && words.2 == 0 ? words.3 : nil
    }

    public static func == (left: Word, right: Word) -> Bool {
        left.words == right.words
    }

    public static func < (left: Word, right: Word) -> Bool {
        left.words < right.words
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.3)
    }
}

extension Word: CustomStringConvertible {
    public var description: String { hex }
}
