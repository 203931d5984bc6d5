import Runtime

/// The two hexadecimal forms of a node's JSON: data with an even count of digits, and numbers without leading zeros.
///
/// Source: Ethereum JSON-RPC, "Hex value encoding".
public enum HexText {
    public static func data(_ bytes: some Sequence<UInt8>) -> String {
        "0x" + Hexadecimal.encode(bytes)
    }

    public static func quantity(_ number: some UnsignedInteger & FixedWidthInteger) -> String {
        "0x" + String(number, radix: 16)
    }

    public static func quantity(_ number: Word) -> String {
        let digits = Hexadecimal.encode(number.minimalBytes)
        guard !digits.isEmpty else { return "0x0" }
        return "0x" + (digits.hasPrefix("0") ? digits.dropFirst() : digits[...])
    }

    /// The bytes of `0x` and an even count of digits, otherwise `nil`.
    public static func bytes(_ text: String) -> [UInt8]? {
        guard text.utf8.starts(with: "0x".utf8) else { return nil }
        return Hexadecimal.decode(text.dropFirst(2))
    }

    /// The number that `0x` and 1 to 64 digits without leading zeros write, otherwise `nil`.
    public static func word(_ text: String) -> Word? {
        guard text.utf8.starts(with: "0x".utf8) else { return nil }
        let digits = text.dropFirst(2)
        guard 1...64 ~= digits.utf8.count, digits.utf8.first != 0x30 || digits.utf8.count == 1 else { return nil }
        let even = digits.utf8.count % 2 == 0 ? String(digits) : "0" + digits
        return Hexadecimal.decode(even).map { Word(leftPadding: $0) }
    }

    public static func integer(_ text: String) -> UInt64? {
        word(text)?.integer
    }
}
