import DHT
import JSON
import Testing

@testable import ApusCommand

@Suite struct ValueTextTests {
    private func line(_ value: Value) -> String {
        ValueText.line(OpenedValue(value: value, signer: nil, wasEncrypted: false))
    }

    @Test func `a text is shown as it is, without what steers a terminal`() {
        let value = Value(id: 0xAB, data: Array("hi\u{1B}[2J".utf8), userType: "text/plain")
        #expect(line(value) == "00000000000000ab  hi[2J")
    }

    @Test func `bytes are shown as digits`() {
        let value = Value(id: 1, data: [0xFF] + [UInt8](repeating: 0, count: 30), userType: "x")
        #expect(line(value) == "0000000000000001  (31 bytes) ff\(String(repeating: "0", count: 46))…  [x]")
    }

    @Test func `types have names`() {
        #expect(line(Value(id: 1, type: 3, data: Array("x".utf8))).hasSuffix("[instant message]"))
        #expect(line(Value(id: 1, type: 77, data: Array("x".utf8))).hasSuffix("[type 77]"))
    }

    @Test func `a program gets text or base64`() {
        let text = ValueText.fields(
            OpenedValue(value: Value(id: 1, data: Array("x".utf8)), signer: nil, wasEncrypted: false)
        )
        #expect(text["text"] == "x" && text["data"] == nil && text["id"] == "0000000000000001")
        let bytes = ValueText.fields(
            OpenedValue(value: Value(id: 1, data: [0, 255]), signer: nil, wasEncrypted: false)
        )
        #expect(bytes["data"] == "AP8=" && bytes["text"] == nil)
    }

    @Test(arguments: [
        (0, "0 B"), (999, "999 B"), (1024, "1 KiB"), (1540, "1.5 KiB"), (123_456, "121 KiB"), (64 << 20, "64 MiB"),
        (1 << 40, "1024 GiB"),
    ])
    func `sizes are short`(count: Int, text: String) {
        #expect(Phrase.bytes(count) == text)
    }
}
