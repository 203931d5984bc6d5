import Git
import Keys
import Swarm
import TestSupport
import Testing

@Suite struct MessageTests {
    @Test func `messages of the real implementation are written byte for byte`() throws {
        for entry in try vector("swarm-commits")["commits"].elements {
            let text = entry["message"].text
            #expect(try CommitMessage(parsing: text.utf8).json == text)
        }
    }

    @Test(
        arguments: [
            ("", "\"\""),
            ("é", #""\u00e9""#),
            ("☕", #""\u2615""#),
            ("👍", #""\ud83d\udc4d""#),
            ("a/b", #""a/b""#),
            ("\"\\", #""\"\\""#),
            ("\u{08}\u{0C}\n\r\t", #""\b\f\n\r\t""#),
            ("\u{00}\u{1F}", #""\u0000\u001f""#),
            ("\u{7F}\u{80}\u{FFFF}", "\"\u{7F}\\u0080\\uffff\""),
        ]
    )
    func `text is escaped as the peers do`(text: String, json: String) throws {
        #expect(MessageValue.text(text).json == json)
        #expect(try MessageValue(parsing: json.utf8) == .text(text))
    }

    @Test func `members are sorted by bytes`() {
        let message = CommitMessage(["type": .text("t"), "a-b": .text(""), "aB": .integer(-3), "é": .null])
        #expect(message.json == #"{"a-b":"","aB":-3,"type":"t","\u00e9":null}"#)
    }

    @Test func `a reader takes any JSON`() throws {
        let json = """
             { "type" : "text\\/plain", "n": [1, -0, 1.5e3, true, false, null, {"x": []}],\t"type":"last",
            "big": 1180591620717411303424, "\\u0061": "raw é \\uD83D\\uDC4D \\ud800 \\udc00x" }
            """
        let message = try CommitMessage(parsing: json.utf8)
        #expect(message.type == "last")
        #expect(message.text("a") == "raw é 👍 \u{FFFD} \u{FFFD}x")
        #expect(message.fields["big"] == .number(1_180_591_620_717_411_303_424))
        #expect(
            message.fields["n"]
                == .list([
                    .integer(1), .integer(0), .number(1500), .boolean(true), .boolean(false), .null,
                    .map(["x": .list([])]),
                ])
        )
        #expect(message.text("n") == nil)
        #expect(message.text("nothing") == nil)
    }

    @Test(
        arguments: [
            "", " ", "{", "}", "[", "]", "{]", "[}", "{}x", "{} {}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}",
            "{a:1}", "[1,]",
            "[,1]", "[1 2]", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "'a'", "tru", "nul", "TRUE",
            "01", "-",
            "+1", "1.", ".5", "1e", "1e+", "0x1", "NaN", "Infinity", "--1", "\"\\ud83d\\u12\"",
        ]
    )
    func `malformed JSON is refused`(text: String) {
        #expect(throws: MessageError.self) { try MessageValue(parsing: text.utf8) }
    }

    @Test func `bytes that are no UTF-8 are refused`() {
        #expect(throws: MessageError.self) { try MessageValue(parsing: [0x22, 0xFF, 0x22]) }
        #expect(throws: MessageError.self) { try MessageValue(parsing: [0x22, 0xED, 0xA0, 0x80, 0x22]) }
    }

    @Test func `nesting is bounded`() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try MessageValue(parsing: nested(32).utf8) }
        #expect(throws: MessageError.tooDeep) { try MessageValue(parsing: nested(33).utf8) }
        #expect(throws: MessageError.tooDeep) { try MessageValue(parsing: nested(100_000).utf8) }
    }

    @Test(arguments: ["[]", "\"text\"", "1", "null"]) func `a message is an object`(text: String) {
        #expect(throws: MessageError.self) { try CommitMessage(parsing: text.utf8) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading JSON is total, and what was read is written alike`(
        seed: UInt64
    ) throws {
        var mutations = ByteMutations(seed: seed)
        let original = Array(#"{"a":["\ud83d\udc4d",-1.5e3,{"b":null}],"type":"text/plain","x":true}"#.utf8)
        for _ in 0..<3_000 {
            guard let value = try? MessageValue(parsing: mutations.next(of: original)) else { continue }
            let json = value.json
            #expect(try MessageValue(parsing: json.utf8).json == json)
        }
    }

    @Test func `signing again gives the same bytes, and they verify`() throws {
        let commits = try vector("swarm-commits")
        let key = try RSAPrivateKey(pkcs8: commits["signing_device_key_pkcs8_der_hex"].hex)
        let device = commits["signing_device"].text
        #expect(key.publicKey.longID.hex == device)
        var count = 0
        for entry in commits["commits"].elements where entry["author_device"].text == device {
            let payload = entry["signed_payload_hex"].hex
            #expect(try key.sign(payload, digest: .sha512) == entry["signature_b64"].base64)
            count += 1
        }
        #expect(count > 3)
        for entry in commits["commits"].elements {
            let path = "devices/\(entry["author_device"].text).crt"
            let chain = try CertificateChain(pem: commits["head_files"][path].text)
            let isValid = chain.leaf.publicKey.isValidSignature(
                entry["signature_b64"].base64,
                for: entry["signed_payload_hex"].hex,
                digest: .sha512
            )
            #expect(isValid)
        }
    }
}
