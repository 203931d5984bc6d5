import Keys
import TestSupport
import Testing

@testable import Ethereum

@Suite struct KeccakTests {
    @Test(arguments: Vectors.ethereum["keccak256"].elements.indices)
    func `hashes are those of the vectors`(index: Int) {
        let vector = Vectors.ethereum["keccak256"][index]
        #expect(Keccak256.hash(vector["in"].hex) == vector["out"].hex)
        #expect(Word(hashing: vector["in"].hex) == vector["out"].word)
    }

    @Test func `each length up to three blocks differs and is stable`() {
        // One hash over all of them; computed with another implementation.
        var all: [UInt8] = []
        for count in 0...409 {
            all += Keccak256.hash((0..<count).map { UInt8(truncatingIfNeeded: $0) })
        }
        #expect(Word(hashing: all).hex == "0x984e9320792485fd2865469342e07e8089e5c359133d78c623a698017c340572")
    }
}

@Suite struct AddressTests {
    @Test(arguments: Vectors.ethereum["eip55"].elements.map(\.text))
    func `checksums are those of EIP-55`(text: String) throws {
        let address = try #require(Address(checkingChecksum: text))
        #expect(address.checksummed == text)
        #expect(Address(checkingChecksum: text.lowercased()) == address)
        let swapped = String(text.map { $0.isUppercase ? Character($0.lowercased()) : Character($0.uppercased()) })
        let isMixed =
            text.dropFirst(2).contains(where: \.isUppercase) && text.dropFirst(2).contains(where: \.isLowercase)
        #expect((Address(checkingChecksum: "0x" + swapped.dropFirst(2)) == nil) == isMixed)
    }
}

@Suite struct HexTextTests {
    @Test func `numbers have no leading zeros and data an even count of digits`() {
        #expect(HexText.quantity(UInt64(0)) == "0x0")
        #expect(HexText.quantity(UInt64(1_024)) == "0x400")
        #expect(HexText.quantity(Word.zero) == "0x0")
        #expect(HexText.quantity(Word(0x0123)) == "0x123")
        #expect(HexText.integer("0xffffffffffffffff") == .max)
        #expect(HexText.data([0, 255]) == "0x00ff")
        #expect(HexText.bytes("0x") == [])
    }

    @Test(arguments: ["", "0x", "0x00", "0x01", "1", "0xg", "0x1ffffffffffffffff", "-0x1", " 0x1", "0x1 "])
    func `other texts are no numbers of 64 bits`(text: String) {
        #expect(HexText.integer(text) == nil)
    }

    @Test(arguments: ["", "0", "00", "0x0", "0X00", "0xzz", "0x000"])
    func `other texts are no data`(text: String) {
        #expect(HexText.bytes(text) == nil)
    }
}

@Suite struct RLPTests {
    private static func value(_ vector: JSONVector) -> RLPValue {
        vector.content is String ? .bytes(vector.hex) : .list(vector.elements.map(value))
    }

    @Test(arguments: Vectors.ethereum["rlp"].elements.indices)
    func `values are written and read as in the vectors`(index: Int) throws {
        let vector = Vectors.ethereum["rlp"][index]
        let value = Self.value(vector["value"])
        #expect(value.encoded == vector["rlp"].hex)
        #expect(try RLPValue(decoding: vector["rlp"].hex) == value)
    }

    @Test(arguments: Vectors.ethereum["rlpInvalid"].elements.indices)
    func `other forms are refused`(index: Int) {
        let vector = Vectors.ethereum["rlpInvalid"][index]
        #expect(throws: RLPError.self, "\(vector["why"].text)") { try RLPValue(decoding: vector["rlp"].hex) }
    }

    @Test(arguments: [
        ("", RLPError.truncated), ("b8", .truncated), ("b9ff", .truncated), ("8100", .notMinimal),
        ("b838", .truncated), ("f90000", .notMinimal), ("c1", .truncated), ("c2c1", .truncated),
        ("c181", .truncated), ("c0c0", .trailingBytes), ("ffffffffffffffffff", .truncated),
        ("bf8000000000000000", .truncated), ("c28100", .notMinimal),
        ("b837" + String(repeating: "61", count: 55), .notMinimal),
    ])
    func `each malformed input has its error`(hex: String, error: RLPError) {
        #expect(throws: error) { try RLPValue(decoding: Hex.bytes(hex)) }
    }

    @Test func `depth is bounded`() throws {
        func nested(_ depth: Int) -> [UInt8] {
            (1..<depth).reduce([0xC0]) { inner, _ in RLP.prefix(isList: true, count: inner.count) + inner }
        }
        #expect(throws: Never.self) { try RLPValue(decoding: nested(RLP.maximumDepth)) }
        #expect(throws: RLPError.tooDeep) { try RLPValue(decoding: nested(RLP.maximumDepth + 1)) }
        #expect(throws: RLPError.tooDeep) { try RLPValue(decoding: nested(100_000)) }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `decoding is total, and what is read is written to the same`(seed: UInt64) {
        let originals = Vectors.ethereum["rlp"].elements.map(\.["rlp"].hex) + [Vectors.proof["headerRlp"].hex]
        var mutations = ByteMutations(seed: seed)
        var accepted = 0
        for round in 0..<2_000 {
            let bytes = mutations.next(of: originals[round % originals.count])
            guard let value = try? RLPValue(decoding: bytes) else { continue }
            accepted += 1
            #expect(value.encoded == bytes)
        }
        #expect(accepted > 0)
    }
}
