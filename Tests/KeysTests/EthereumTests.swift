import Runtime
import TestSupport
import Testing

@testable import Keys

@Suite struct EthereumTests {
    @Test(arguments: [
        ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (
            "The quick brown fox jumps over the lazy dog",
            "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15"
        ),
    ])
    func `Keccak-256 gives the known answers`(text: String, digest: String) {
        #expect(Hexadecimal.encode(Keccak256.hash(Array(text.utf8))) == digest)
    }

    @Test func `addresses are those of real accounts`() throws {
        let plain = try JSONVector(file: "account-archive-plain", in: .module)["archive"]
        let encrypted = try JSONVector(file: "account-archive-encrypted", in: .module)["archives"].elements
        for vector in [plain] + encrypted {
            let key = try EthereumKey(secret: vector["eth_private_key_hex"].hex)
            #expect(key.addressText == vector["eth_address"].text)
        }
    }

    @Test func `only numbers between zero and the order are secrets`() throws {
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
        let one = String(repeating: "0", count: 63) + "1"
        let last = String(order.dropLast()) + "0"
        for text in [one, last] {
            #expect(try EthereumKey(secret: #require(Hexadecimal.decode(text))).address.count == 20)
        }
        for text in [order, String(repeating: "f", count: 64), String(repeating: "0", count: 64), "", "01"] {
            let bytes = try #require(Hexadecimal.decode(text))
            #expect(throws: KeyError.malformed) { try EthereumKey(secret: bytes) }
        }
        var randomness = Randomness.seeded(3)
        #expect(try EthereumKey.generate(randomness: &randomness).secret.count == 32)
    }
}
