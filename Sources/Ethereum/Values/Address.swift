public import Keys
import Runtime

/// Twenty bytes that name an account or a contract of a chain.
///
/// Source: names protocol, "Identifiers"; EIP-55 for the form with a checksum.
public struct Address: Hashable, Comparable, Sendable {
    // Kept as the words of an id of the same size.
    private let words: InfoHash

    public static let byteCount = 20
    public static let zero = Address(InfoHash.zero)

    /// The same twenty bytes; Jami ids are held in contracts as addresses.
    public init(_ hash: InfoHash) {
        words = hash
    }

    /// Exactly twenty bytes, otherwise `nil`.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init(Array(bytes))
    }

    // Not generic, since addresses are read from rows many thousand times a second.
    public init?(_ bytes: [UInt8]) {
        guard let words = InfoHash(bytes) else { return nil }
        self.words = words
    }

    /// Forty hexadecimal digits of any case, with or without `0x`, otherwise `nil`; a checksum is not looked at.
    public init?(hex text: some StringProtocol) {
        guard let words = InfoHash(hex: Hexadecimal.withoutPrefix(text)) else { return nil }
        self.words = words
    }

    /// The same twenty bytes as an id.
    public var hash: InfoHash { words }
    public var bytes: [UInt8] { words.bytes }
    public var isZero: Bool { words.isZero }

    /// `0x` and forty lower-case hexadecimal digits.
    public var hex: String { "0x" + words.hex }

    public static func < (left: Address, right: Address) -> Bool {
        left.words < right.words
    }
}

extension Address: CustomStringConvertible {
    public var description: String { hex }
}
