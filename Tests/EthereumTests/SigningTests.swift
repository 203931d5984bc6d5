import JSON
import Keys
import TestSupport
import Testing

@testable import Ethereum

@Suite struct SigningTests {
    @Test(arguments: Vectors.ethereum["address"].elements.indices)
    func `addresses are those of the vectors`(index: Int) throws {
        let vector = Vectors.ethereum["address"][index]
        let key = try EthereumKey(secret: vector["key"].hex)
        #expect(key.account.checksummed == vector["address"].text)
        let hash = Word(hashing: [1, 2, 3])
        let signature = try key.sign(hash)
        #expect(try Secp256k1.recover(hash, signature) == Array(vector["publicKeyUncompressed"].hex.dropFirst()))
    }

    @Test(arguments: Vectors.ethereum["sign"].elements.indices)
    func `signatures are those of the vectors`(index: Int) throws {
        let vector = Vectors.ethereum["sign"][index]
        let key = try EthereumKey(secret: vector["key"].hex)
        let signature = try key.sign(vector["hash"].word)
        #expect(signature.r == vector["r"].word)
        #expect(signature.s == vector["s"].word)
        #expect(signature.parity == UInt8(vector["yParity"].integer))
        #expect(signature.isLow)
        #expect(try signature.signer(of: vector["hash"].word) == key.account)
        #expect(Signature(signature.bytes) == signature)
        #expect(Signature(signature.r.bytes + signature.s.bytes + [signature.v]) == signature)
    }

    @Test func `the other signature of the same point is high`() throws {
        let order = Word(
            high: 0xFFFF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFF_FFFE,
            low: 0xBAAE_DCE6_AF48_A03B_BFD2_5E8C_D036_4141
        )
        let key = try EthereumKey(secret: Array(repeating: 7, count: 32))
        let hash = Word(hashing: [])
        let signature = try key.sign(hash)
        let (low, borrow) = order.halves.low.subtractingReportingOverflow(signature.s.halves.low)
        let high = order.halves.high - signature.s.halves.high - (borrow ? 1 : 0)
        let other = try #require(
            Signature(r: signature.r, s: Word(high: high, low: low), parity: 1 - signature.parity)
        )
        #expect(!other.isLow)
        #expect(try other.signer(of: hash) == key.account)
    }

    @Test func `numbers outside of the order are no signatures`() throws {
        for (r, s) in [(Word.zero, Word(1)), (Word(1), .zero), (Word(high: .max, low: .max), Word(1))] {
            let signature = try #require(Signature(r: r, s: s, parity: 0))
            #expect(throws: SignatureError.invalidSignature) { try signature.signer(of: .zero) }
        }
        #expect(Signature(r: .zero, s: .zero, parity: 2) == nil)
        #expect(Signature([1, 2, 3]) == nil)
        #expect(Signature(Array(repeating: 2, count: 65)) == nil)
    }

    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func `recovering is total`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            guard let signature = Signature(generator.bytes(64) + [UInt8(generator.next() & 1)]) else { continue }
            _ = try? signature.signer(of: Word(hashing: generator.bytes(8)))
        }
    }
}

@Suite struct TransactionTests {
    private static func transaction(_ vector: JSONVector) -> Transaction {
        let tx = vector["tx"]
        let fees: Transaction.Fees =
            tx["gasPrice"].isPresent
            ? .legacy(gasPrice: tx["gasPrice"].quantity)
            : .market(maximumPriority: tx["maxPriorityFeePerGas"].quantity, maximum: tx["maxFeePerGas"].quantity)
        return Transaction(
            chainID: UInt64(tx["chainId"].quantity),
            nonce: UInt64(tx["nonce"].quantity),
            fees: fees,
            gasLimit: UInt64(tx["gas"].quantity),
            to: Address(hex: tx["to"].text),
            value: tx["value"].quantity,
            data: tx["data"].hex
        )
    }

    @Test(arguments: Vectors.ethereum["transactions"].elements.indices)
    func `transactions are those of the vectors`(index: Int) throws {
        let vector = Vectors.ethereum["transactions"][index]
        let signed = try Self.transaction(vector).signed(by: EthereumKey(secret: vector["key"].hex))
        #expect(signed.raw == vector["raw"].hex)
        #expect(signed.hash == vector["hash"].word)
        #expect(signed.sender.checksummed == vector["from"].text)
        #expect(try SignedTransaction(decoding: signed.raw) == signed)
    }

    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func `reading is total, and what is read is written to the same`(seed: UInt64) {
        let originals = Vectors.ethereum["transactions"].elements.map(\.["raw"].hex)
        var mutations = ByteMutations(seed: seed)
        for round in 0..<500 {
            let bytes = mutations.next(of: originals[round % originals.count])
            guard let read = try? SignedTransaction(decoding: bytes) else { continue }
            #expect(read.raw == bytes)
        }
    }
}

@Suite struct TypedDataTests {
    @Test(arguments: Vectors.ethereum["eip712"].elements.indices)
    func `digests and signatures are those of the vectors`(index: Int) throws {
        let vector = Vectors.ethereum["eip712"][index]
        let message = try TypedMessage(#require(JSONValue(vector["typed"].content)))
        #expect(try message.domainSeparator() == vector["domainSeparator"].word)
        #expect(try message.messageHash() == vector["structHash"].word)
        #expect(try message.digest() == vector["digest"].word)
        let signature = try EthereumKey(secret: vector["key"].hex).sign(message.digest())
        #expect(signature.v == UInt8(vector["v"].integer))
        #expect(signature.r == vector["r"].word)
        #expect(signature.s == vector["s"].word)
    }

    @Test func `structures by hand have the same hashes`() throws {
        let vector = try #require(Vectors.ethereum["eip712"].elements.first { $0["name"].text == "JNS Release" })
        let domain = TypedData.Domain(
            name: "Jami Name Service",
            version: "1",
            chainID: 1_551,
            verifyingContract: vector["typed"]["domain"]["verifyingContract"].address
        )
        #expect(domain.separator == vector["domainSeparator"].word)
        let message = vector["typed"]["message"]
        let hash = TypedData.structHash(
            "Release(bytes32 name,uint256 nonce,uint256 deadline)",
            [
                .word(message["name"].word), .word(Word(message["nonce"].unsigned)),
                .word(Word(message["deadline"].unsigned)),
            ]
        )
        #expect(TypedData.digest(domain: domain.separator, message: hash) == vector["digest"].word)
    }

    private static func message(_ type: String, _ value: JSONValue) -> JSONValue {
        let part: JSONValue = ["name": "inner", "type": "Part"]
        let member: JSONValue = ["name": "x", "type": .string(type)]
        return [
            "types": ["EIP712Domain": [], "Part": .array([part]), "M": .array([member])],
            "primaryType": "M",
            "domain": [:],
            "message": ["x": value],
        ]
    }

    private static let invalid: [(type: String, value: JSONValue)] = [
        ("uint8", 256), ("uint8", -1), ("uint8", "text"), ("bool", 1), ("address", "0x00"),
        ("bytes4", "0x00"), ("bytes", "zz"), ("string", 4), ("uint8[2]", [1]), ("uint8[]", 1), ("Part", 1),
        ("Unknown", 1), ("", 1), ("uint256", .string("0x1" + String(repeating: "f", count: 64))),
    ]

    @Test(arguments: invalid)
    func `values that their types do not allow are refused`(type: String, value: JSONValue) throws {
        let message = try TypedMessage(Self.message(type, value))
        #expect(throws: TypedMessageError.self) { try message.messageHash() }
    }

    @Test func `nesting is bounded`() throws {
        var value: JSONValue = [:]
        for _ in 0..<40 { value = ["inner": value] }
        let message = try TypedMessage(Self.message("Part", value))
        #expect(throws: TypedMessageError.tooDeep) { try message.messageHash() }
        #expect(throws: TypedMessageError.malformed) { try TypedMessage([:]) }
    }
}
