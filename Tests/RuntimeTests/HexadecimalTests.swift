import Runtime
import Testing

@Suite struct HexadecimalTests {
    @Test func `bytes become lower-case digits`() {
        #expect(Hexadecimal.encode([0x00, 0x0F, 0xA5, 0xFF] as [UInt8]) == "000fa5ff")
        #expect(Hexadecimal.encode([] as [UInt8]) == "")
    }

    @Test func `both cases are read`() {
        #expect(Hexadecimal.decode("00aAfF") == [0x00, 0xAA, 0xFF])
        #expect(Hexadecimal.decode("") == [])
    }

    @Test(arguments: ["0", "000", "0g", "zz", " 0", "0 ", "0x", "é", "٠٠", "00\u{0}0"])
    func `other text is refused`(text: String) {
        #expect(Hexadecimal.decode(text) == nil)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>) func `what is written is read again`(seed: UInt64) {
        var random = Randomness.seeded(seed)
        for length in 0..<100 {
            let bytes = random.bytes(length)
            #expect(Hexadecimal.decode(Hexadecimal.encode(bytes)) == bytes, "seed \(seed)")
        }
    }
}
