import Crypto
import Runtime

/// The name of a git object: the SHA-1 of its header and content.
///
/// Kept as words, so that look-ups and comparisons cost a few instructions; the order is that of the hexadecimal text.
public struct ObjectID: Hashable, Comparable, Sendable {
    private let high: UInt64
    private let middle: UInt64
    private let low: UInt32

    public static let byteCount = 20

    /// Exactly twenty bytes, otherwise `nil`.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words: (UInt64, UInt64, UInt32) = (0, 0, 0)
        for (index, byte) in bytes.enumerated() {
            switch index {
            case 0..<8: words.0 = words.0 << 8 | UInt64(byte)
            case 8..<16: words.1 = words.1 << 8 | UInt64(byte)
            default: words.2 = words.2 << 8 | UInt32(byte)
            }
        }
        (high, middle, low) = words
    }

    /// Exactly forty hexadecimal digits, otherwise `nil`.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 2 * Self.byteCount, let bytes = Hexadecimal.decode(hex) else { return nil }
        self.init(bytes)
    }

    /// The name that content of a kind gets.
    public init(hashing content: [UInt8], as kind: ObjectKind) {
        var hash = Insecure.SHA1()
        hash.update(data: Array("\(kind.name) \(content.count)\0".utf8))
        hash.update(data: content)
        guard let id = ObjectID(Array(hash.finalize())) else { preconditionFailure("SHA-1 has twenty bytes") }
        self = id
    }

    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.byteCount)
        append(to: &result)
        return result
    }

    public var hex: String { Hexadecimal.encode(bytes) }

    func append(to bytes: inout [UInt8]) {
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: high >> UInt64(shift)))
        }
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: middle >> UInt64(shift)))
        }
        for shift in stride(from: 24, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: low >> UInt32(shift)))
        }
    }

    public static func < (left: ObjectID, right: ObjectID) -> Bool {
        if left.high != right.high { return left.high < right.high }
        if left.middle != right.middle { return left.middle < right.middle }
        return left.low < right.low
    }

    /// Names are uniform, so the first word is hash enough.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
    }
}

extension ObjectID: CustomStringConvertible {
    public var description: String { hex }
}
