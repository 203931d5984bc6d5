import Keys
import Runtime

extension Address {
    /// `0x` and forty hexadecimal digits whose capitals are a checksum, for people and settings.
    ///
    /// Source: EIP-55.
    public var checksummed: String {
        let digits = Hexadecimal.encode(bytes)
        let hash = Keccak256.hash(Array(digits.utf8))
        let text = digits.utf8.enumerated().map { index, digit in
            let nibble = index % 2 == 0 ? hash[index / 2] >> 4 : hash[index / 2] & 15
            return nibble >= 8 && digit >= 0x61 ? digit - 0x20 : digit
        }
        return "0x" + String(decoding: text, as: UTF8.self)
    }

    /// A text of forty hexadecimal digits after `0x`; one with digits of both cases must have the right checksum.
    public init?(checkingChecksum text: some StringProtocol) {
        let digits = Hexadecimal.withoutPrefix(text)
        self.init(hex: digits)
        let hasSmall = digits.utf8.contains { (0x61...0x66).contains($0) }
        let hasCapital = digits.utf8.contains { (0x41...0x46).contains($0) }
        guard hasSmall, hasCapital else { return }
        guard checksummed.dropFirst(2) == digits else { return nil }
    }
}
