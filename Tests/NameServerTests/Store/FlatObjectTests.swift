import Foundation
import JSON
import TestSupport
import Testing

@testable import NameServer

@Suite struct FlatObjectTests {
    @Test func `texts, numbers and flags are read`() throws {
        let text = #" {"a":"x\n\"\\\/\u00e9\ud83d\ude00","b":-12 , "c":true,"d":null,"e":1.5,"f":"","a":"last"} "#
        let object = try #require(FlatObject(Array(text.utf8)))
        #expect(object.text("a") == "last")
        #expect(object.integer("b") == -12)
        #expect(object.boolean("c") == true)
        #expect(object["d"] == .other)
        #expect(object["e"] == .other)
        #expect(object.bytes("f") == [])
        #expect(object["g"] == nil)
        let escaped = try #require(FlatObject(Array(text.replacing(#","a":"last""#, with: "").utf8)))
        #expect(escaped.text("a") == "x\n\"\\/é😀")
    }

    @Test(arguments: [
        "", "{", "}", "[]", "{}}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":{}}", "{\"a\":[]}",
        "{\"a\":tru}",
        "{\"a\":\"b}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":--1}", "{\"a\":\"\n\"}", "{\"a\":1 \"b\":2}", "{\"a\":\"\\u+123\"}",
    ])
    func `anything else is refused`(_ text: String) {
        #expect(FlatObject(Array(text.utf8)) == nil)
    }

    @Test(arguments: 0..<4 as Range<UInt64>) func `reading is total`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("{}[]\":,\\u0dbn1-e tf".utf8) + [0x00, 0xFF]
        let valid = Array(#"{"seq":1,"name":"a\u0041","void":true}"#.utf8)
        for round in 0..<5_000 {
            var bytes = valid
            if round % 2 == 0 {
                bytes = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
                }
            } else {
                for _ in 0..<3 {
                    let index = Int.random(in: 0..<bytes.count, using: &generator)
                    bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
                }
            }
            _ = FlatObject(bytes)
            _ = LogLine(bytes)
        }
    }
}
