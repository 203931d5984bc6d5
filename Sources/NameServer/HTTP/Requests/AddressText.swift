import Ethereum
import Keys
import Runtime

/// The address of an account or owner as clients write it.
///
/// Source: names protocol, "Addresses".
enum AddressText {
    /// Forty hexadecimal digits that are not all zero, perhaps behind `ring:` or `jami:`, perhaps behind `0x`.
    static func account(_ text: String) -> InfoHash? {
        var digits = text[...]
        while let first = digits.utf8.first, isSpace(first) { digits = Substring(digits.utf8.dropFirst()) }
        while let last = digits.utf8.last, isSpace(last) { digits = Substring(digits.utf8.dropLast()) }
        if digits.utf8.starts(with: "ring:".utf8) || digits.utf8.starts(with: "jami:".utf8) {
            digits = Substring(digits.utf8.dropFirst(5))
        }
        guard let hash = InfoHash(hex: Hexadecimal.withoutPrefix(digits)), !hash.isZero else { return nil }
        return hash
    }

    static func owner(_ text: String) -> Address? {
        account(text).map { Address($0) }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }
}
