import Ethereum
import Foundation
import Keys
import NameRegistry
import Runtime
import TestSupport
import Testing

struct RecordTests {
    @Test(arguments: [
        ("abc", true), ("a-_9", true), ("0123456789012345678901234567890a", true), ("___", true), ("---", true),
        ("ab", false), ("", false), ("0123456789012345678901234567890ab", false), ("Abc", false), ("a.c", false),
        ("a c", false), ("abc\n", false), ("abc\0", false), ("äbc", false), ("a%62c", false), ("аbc", false),
    ])
    func `a canonical name is 3 to 32 of the accepted characters`(text: String, isAccepted: Bool) {
        #expect((Name(canonical: text) != nil) == isAccepted)
    }

    @Test func `folding changes ASCII capitals only`() {
        #expect(Name(folding: "Alice_ONE-9")?.text == "alice_one-9")
        #expect(Name(folding: "ÄBC") == nil)
        // The Kelvin sign is k in lower case, but no ASCII letter.
        #expect(Name(folding: "\u{212A}ate") == nil)
    }

    @Test func `names are valid where a contract finds them valid`() throws {
        let vectors = try JSONVector(file: "jns-contract", in: .module)["nameValidity"].elements
        #expect(vectors.count == 12)
        for vector in vectors {
            let word = try #require(Word(hex: vector["name32"].text))
            #expect((Name(word) != nil) == vector["valid"].boolean, "\(word)")
            if let name = Name(word) { #expect(name.word == word) }
        }
    }

    @Test func `a registration of a real client proves itself`() throws {
        let vector = try JSONVector(file: "jns-registration", in: .module)
        let body = try JSONVector(JSONSerialization.jsonObject(with: Data(vector["body"].text.utf8)))
        let evidence = try NameEvidence(
            publicKeyText: body["publickey"].text,
            signatureText: body["signature"].text
        )
        #expect(evidence.publicKey == vector["spkiDerHex"].hex)
        #expect(evidence.signature == vector["signatureHex"].hex)
        #expect(evidence.digest.hex == vector["evidenceDigest"].text)
        #expect(evidence.account.hex == vector["addr"].text)
        let name = try #require(Name(canonical: vector["name"].text))
        #expect(Name(folding: vector["requestedName"].text) == name)
        try evidence.verify(name, of: evidence.account)

        let key = try RSAPrivateKey(pkcs8: vector["testRsaPrivateKeyPkcs8Hex"].hex)
        #expect(try NameEvidence.sign(name, with: key) == evidence)
        // The client's text has a zero byte behind it, ours has none.
        #expect(Base64.decode(body["publickey"].text) == Base64.decode(evidence.publicKeyText).map { $0 + [0] })
        let owner = try EthereumKey(secret: vector["testEthKeyHex"].hex)
        #expect(owner.addressText == vector["owner"].text)
    }

    @Test func `evidence that was tampered with is refused for what it is`() throws {
        let vector = try JSONVector(file: "jns-registration", in: .module)
        let name = try #require(Name(canonical: vector["name"].text))
        let key = vector["spkiDerHex"].hex
        let signature = vector["signatureHex"].hex
        let account = InfoHash(hashing: key)
        let good = NameEvidence(publicKey: key, signature: signature)
        let other = try #require(Name(canonical: "another"))
        #expect(throws: NameEvidenceError.wrongSignature) { try good.verify(other, of: account) }
        #expect(throws: NameEvidenceError.otherAccount) { try good.verify(name, of: .zero) }
        var bytes = signature
        bytes[100] ^= 1
        #expect(throws: NameEvidenceError.wrongSignature) {
            try NameEvidence(publicKey: key, signature: bytes).verify(name, of: account)
        }
        #expect(throws: NameEvidenceError.wrongSignature) {
            try NameEvidence(publicKey: key, signature: []).verify(name, of: account)
        }
        #expect(throws: NameEvidenceError.malformedKey) {
            try NameEvidence(publicKey: [1, 2, 3], signature: signature).verify(name, of: InfoHash(hashing: [1, 2, 3]))
        }
        let small = try RSAPrivateKey.generate(bits: 1_024)
        let weak = try NameEvidence.sign(name, with: small)
        #expect(throws: NameEvidenceError.keySize(bits: 1_024)) { try weak.verify(name, of: weak.account) }
    }

    @Test(arguments: ["", "0", "====", "AAAA", "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0=", "-_-_", "ü"])
    func `a text that is no key is refused`(text: String) {
        #expect(throws: NameEvidenceError.malformedKey) {
            try NameEvidence(publicKeyText: text, signatureText: "AAAA")
        }
    }

    @Test(arguments: ["", "-_-_", "A"])
    func `a text that is no signature is refused`(text: String) {
        #expect(throws: NameEvidenceError.malformedSignature) {
            try NameEvidence(publicKeyText: "AAAA", signatureText: text)
        }
    }
}
