import Foundation
import Runtime
import TestSupport
import Testing

@testable import Keys

@Suite struct BoxTests {
    @Test func `AES-GCM boxes of both real libraries open`() throws {
        let vectors = try JSONVector(file: "opendht-crypto", in: .module)
        for version in ["2.4.12", "4.3.1"] {
            let boxes = vectors[version]["aes_gcm"].elements
            #expect(boxes.count == 3)
            for box in boxes {
                let sealed = box["output_iv12_ct_tag16"].hex
                #expect(try AuthenticatedBox.open(sealed, key: box["key"].hex) == box["plain"].hex)
                let vector = Array(sealed.prefix(12))
                #expect(try AuthenticatedBox.seal(box["plain"].hex, key: box["key"].hex, vector: vector) == sealed)
            }
        }
    }

    @Test(arguments: ["2.4.12", "4.3.1"]) func `password boxes of the real library open`(version: String) throws {
        let box = try JSONVector(file: "opendht-crypto", in: .module)[version]["aes_password"]
        let sealed = box["output_salt16_iv12_ct_tag16"].hex
        #expect(try PasswordBox.open(sealed, password: box["password"].text) == box["plain"].hex)
        #expect(throws: KeyError.cannotOpen) { try PasswordBox.open(sealed, password: "Password") }
    }

    @Test func `stretched passwords are those of the real library`() throws {
        let vectors = try JSONVector(file: "opendht-crypto", in: .module)["2.4.12"]["stretch_key"].elements
        #expect(vectors.count == 24)
        for (password, group) in Dictionary(grouping: vectors, by: { $0["password_utf8_hex"].text })
        where password != "" {
            let text = String(decoding: try #require(Hexadecimal.decode(password)), as: UTF8.self)
            let material = try PasswordBox.argon2(password: text, salt: group[0]["salt"].hex)
            for vector in group {
                #expect(PasswordBox.condense(material, count: vector["length"].integer) == vector["key"].hex)
            }
        }
        let empty = try #require(vectors.first { $0["password_utf8_hex"].text == "" && $0["length"].integer == 16 })
        #expect(try PasswordBox.stretch(password: "", salt: empty["salt"].hex, count: 16) == empty["key"].hex)
    }

    @Test func `a password box keeps its layout`() throws {
        var randomness = Randomness.seeded(5)
        let sealed = try PasswordBox.seal([1, 2, 3], password: "é", randomness: &randomness)
        #expect(sealed.count == 16 + 12 + 3 + 16)
        #expect(try PasswordBox.open(sealed, password: "é") == [1, 2, 3])
    }

    @Test func `boxes that are too short do not open`() {
        let key = [UInt8](repeating: 1, count: 32)
        for count in 0...AuthenticatedBox.overhead {
            #expect(throws: KeyError.cannotOpen) {
                try AuthenticatedBox.open(.init(repeating: 0, count: count), key: key)
            }
        }
        // No stretching is paid for a box that cannot be one.
        for count in [0, 1, 16, 44] {
            #expect(throws: KeyError.cannotOpen) {
                try PasswordBox.open(.init(repeating: 0, count: count), password: "x")
            }
        }
        #expect(throws: KeyError.invalidParameter) {
            try PasswordBox.stretch(password: "", salt: [1, 2, 3], count: 32)
        }
        #expect(throws: KeyError.invalidParameter) {
            try PasswordBox.stretch(password: "", salt: .init(repeating: 0, count: 16), count: 65)
        }
        #expect(throws: KeyError.invalidParameter) { try AuthenticatedBox.seal([1], key: [1], vector: [1]) }
    }

    @Test func `hashes of texts are those of the real library`() throws {
        let vectors = try JSONVector(file: "opendht-hash", in: .module)
        for vector in vectors["hashes"].elements {
            #expect(InfoHash(hashing: vector["input_hex"].hex).hex == vector["infohash"].text)
            #expect(LongID(hashing: vector["input_hex"].hex).hex == vector["pkid_h256"].text)
            for count in [16, 20, 21, 32, 33, 64] {
                #expect(PasswordBox.condense(vector["input_hex"].hex, count: count) == vector["hash\(count)"].hex)
            }
        }
        for vector in vectors["node_id"].elements {
            #expect(InfoHash(hashing: "node:" + vector["public_key_id"].text).hex == vector["node_id"].text)
        }
    }
}

@Suite struct EncodingTests {
    @Test(arguments: ["", "f", "fo", "foo", "foob", "fooba", "foobar"]) func `base64 goes both ways`(text: String) {
        let encoded = Base64.encode(Array(text.utf8))
        #expect(Base64.decode(encoded) == Array(text.utf8))
        #expect(encoded.utf8.count % 4 == 0)
    }

    @Test func `base64 is the standard one`() {
        #expect(Base64.encode(Array("foob".utf8)) == "Zm9vYg==")
        #expect(Base64.encode([0xFB, 0xFF]) == "+/8=")
        #expect(Base64.decode("Zm9v\r\nYg") == Array("foob".utf8))
        for text in ["Z", "Zm9vY", "Zm9=v", "Zm9vYg=", "Zm-v", "====", "=", "Zm9v="] {
            #expect(Base64.decode(text) == nil)
        }
    }

    @Test func `base64 of any length is that of the system, with lines and without`() {
        var randomness = Randomness.seeded(7)
        for count in 0...400 {
            let data = Data(randomness.bytes(count))
            let lines = data.base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
            #expect(Base64.characters(Array(data)) == Array(data.base64EncodedString().utf8))
            #expect(Base64.characters(Array(data), lineLength: 64) == Array(lines.utf8))
        }
    }

    @Test func `PEM blocks are found among other bytes`() {
        let pem = PEM.encode([1, 2, 3], label: "X")
        #expect(pem == "-----BEGIN X-----\nAQID\n-----END X-----\n")
        let text = [0xC5, 0x00, 0x20] + Array("-----BEGIN Y-----\n".utf8) + Array((pem + "junk" + pem).utf8)
        #expect(PEM.decode(text, label: "X", limit: 2) == [[1, 2, 3], [1, 2, 3]])
        #expect(PEM.decode(text, label: "X", limit: 1) == nil)
        #expect(PEM.decode(text, label: "Z", limit: 1) == [])
        #expect(PEM.decode(text, label: "Y", limit: 1) == nil)
    }

    @Test(arguments: [
        0, 951_782_399, 951_868_800, 1_795_216_778, 2_110_578_322, 4_102_444_800, -86_401, 253_402_300_799,
    ])
    func `civil time goes both ways`(seconds: Int64) {
        #expect(CivilTime(secondsSince1970: seconds).secondsSince1970 == seconds)
    }

    @Test func `civil time knows leap days`() {
        let time = CivilTime(secondsSince1970: 951_782_400)
        #expect(time == CivilTime(year: 2000, month: 2, day: 29, hour: 0, minute: 0, second: 0))
        #expect(CivilTime(digits: Array("261120231938Z".utf8), isShort: true)?.secondsSince1970 == 1_795_216_778)
        #expect(CivilTime(digits: Array("20261120231938Z".utf8), isShort: false)?.secondsSince1970 == 1_795_216_778)
        for text in [
            "", "2611202319Z", "261120231938", "2611202319380", "261320231938Z", "26112a231938Z", "260020231938Z",
        ] {
            #expect(CivilTime(digits: Array(text.utf8), isShort: true) == nil)
        }
        #expect(CivilTime(secondsSince1970: .max).year == 9_999)
        #expect(CivilTime(secondsSince1970: .min).year == 0)
    }
}
