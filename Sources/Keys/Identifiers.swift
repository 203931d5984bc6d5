import Crypto
public import Runtime

/// Twenty bytes that name a place in the DHT, a node, an account, or the short id of a device key.
///
/// Kept as words, so that distances and comparisons cost a few instructions. Source: `docs/protocol/dht.md`.
public struct InfoHash: Hashable, Comparable, Sendable {
    public var high: UInt64
    public var middle: UInt64
    public var low: UInt32

    public static let byteCount = 20
    public static let zero = InfoHash(high: 0, middle: 0, low: 0)

    public init(high: UInt64, middle: UInt64, low: UInt32) {
        self.high = high
        self.middle = middle
        self.low = low
    }

    /// Exactly twenty bytes, otherwise `nil`.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init(Array(bytes))
    }

    // Not generic, since ids are read from rows and packets many thousand times a second.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        let low = UInt32(truncatingIfNeeded: Self.word(bytes, 16..<20))
        self.init(high: Self.word(bytes, 0..<8), middle: Self.word(bytes, 8..<16), low: low)
    }

    @inline(__always)
    private static func word(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
        var word: UInt64 = 0
        for index in range { word = word << 8 | UInt64(bytes[index]) }
        return word
    }

    /// Exactly forty hexadecimal digits, otherwise `nil`.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 2 * Self.byteCount, let bytes = Hexadecimal.decode(hex) else { return nil }
        self.init(bytes)
    }

    /// SHA-1 of bytes.
    public init(hashing bytes: some Sequence<UInt8>) {
        let digest = Insecure.SHA1.hash(data: Array(bytes))
        self = InfoHash(Array(digest)) ?? .zero
    }

    /// SHA-1 of the UTF-8 bytes of a text.
    public init(hashing text: String) {
        self.init(hashing: text.utf8)
    }

    public static func random(using randomness: inout Randomness) -> InfoHash {
        InfoHash(
            high: randomness.next(),
            middle: randomness.next(),
            low: UInt32(truncatingIfNeeded: randomness.next())
        )
    }

    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.byteCount)
        for shift in stride(from: 56, through: 0, by: -8) {
            result.append(UInt8(truncatingIfNeeded: high >> UInt64(shift)))
        }
        for shift in stride(from: 56, through: 0, by: -8) {
            result.append(UInt8(truncatingIfNeeded: middle >> UInt64(shift)))
        }
        for shift in stride(from: 24, through: 0, by: -8) {
            result.append(UInt8(truncatingIfNeeded: low >> UInt32(shift)))
        }
        return result
    }

    public var hex: String { Hexadecimal.encode(bytes) }
    public var isZero: Bool { self == .zero }

    public static func < (left: InfoHash, right: InfoHash) -> Bool {
        if left.high != right.high { return left.high < right.high }
        if left.middle != right.middle { return left.middle < right.middle }
        return left.low < right.low
    }

    /// The XOR distance.
    public static func ^ (left: InfoHash, right: InfoHash) -> InfoHash {
        InfoHash(high: left.high ^ right.high, middle: left.middle ^ right.middle, low: left.low ^ right.low)
    }

    /// Whether this id is strictly closer to a target than another one.
    public func isCloser(to target: InfoHash, than other: InfoHash) -> Bool {
        (self ^ target) < (other ^ target)
    }

    /// Ids are uniform, so the first word is hash enough.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
    }
}

extension InfoHash: CustomStringConvertible {
    public var description: String { hex }
}

/// The 32-byte id of a public key: SHA-256 of its DER SubjectPublicKeyInfo.
///
/// For a device key this is the device id.
public struct LongID: Hashable, Comparable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    public static let byteCount = 32

    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in bytes.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
        self.words = (words[0], words[1], words[2], words[3])
    }

    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 2 * Self.byteCount, let bytes = Hexadecimal.decode(hex) else { return nil }
        self.init(bytes)
    }

    /// SHA-256 of bytes.
    public init(hashing bytes: some Sequence<UInt8>) {
        var words: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in SHA256.hash(data: Array(bytes)).enumerated() {
            words[index / 8] = words[index / 8] << 8 | UInt64(byte)
        }
        self.words = (words[0], words[1], words[2], words[3])
    }

    public var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
        }
    }

    public var hex: String { Hexadecimal.encode(bytes) }

    public static func == (left: LongID, right: LongID) -> Bool {
        left.words == right.words
    }

    public static func < (left: LongID, right: LongID) -> Bool {
        left.words < right.words
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
    }
}

extension LongID: CustomStringConvertible {
    public var description: String { hex }
}
