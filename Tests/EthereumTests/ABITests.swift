import TestSupport
import Testing

@testable import Ethereum

@Suite struct ABITests {
    private static let vectors = Vectors.ethereum["abi"].elements.filter { $0["name"].text != "int256" }

    /// A value of a type from a vector's plain form.
    private static func value(_ vector: JSONVector, _ type: ABIType) -> ABIValue {
        switch type {
        case .array(let element): .array(vector.elements.map { value($0, element) })
        case .bytes: .bytes(vector.hex)
        case .string: .string(vector.text)
        case .boolean: .boolean(vector.boolean)
        case .address: .address(vector.address)
        case .fixedBytes:
            .word(Word(vector.hex + Array(repeating: 0, count: 32 - vector.hex.count)) ?? .zero)
        default: .integer(vector.unsigned)
        }
    }

    @Test(arguments: vectors.indices)
    func `values are written and read as in the vectors`(index: Int) throws {
        let vector = Self.vectors[index]
        let types = vector["types"].elements.compactMap { ABIType(name: $0.text) }
        try #require(types.map(\.description) == vector["types"].elements.map(\.text))
        let values = zip(vector["values"].elements, types).map(Self.value)
        #expect(ABIValue.encode(values) == vector["encoded"].hex)
        #expect(try ABIValue.decode(vector["encoded"].hex, as: types) == values)
    }

    @Test func `negative numbers are those of the vectors`() throws {
        let vector = try #require(Vectors.ethereum["abi"].elements.first { $0["name"].text == "int256" })
        let minusOne = ABIValue.word(Word(high: .max, low: .max))
        let least = ABIValue.word(Word(high: 1 << 127, low: 0))
        #expect(ABIValue.encode([minusOne, least]) == vector["encoded"].hex)
        let types = [ABIType.signed(bits: 256), .signed(bits: 256)]
        #expect(try ABIValue.decode(vector["encoded"].hex, as: types) == [minusOne, least])
    }

    @Test func `tuples within arrays are written and read to the same`() throws {
        let record = ABIType.tuple([.bytes32, .address, .string])
        let type = ABIType.array(of: record)
        let values: [ABIValue] = [
            .array([
                .tuple([.integer(1), .address(.zero), .string("first")]),
                .tuple([.integer(2), .address(.zero), .string("a text that is longer than one word of 32 bytes")]),
            ]),
            .boolean(true),
        ]
        let encoded = ABIValue.encode(values)
        #expect(try ABIValue.decode(encoded, as: [type, .boolean]) == values)
        #expect(type.description == "(bytes32,address,string)[]")
    }

    @Test(arguments: [
        "uint7", "uint0", "uint264", "uint08", "bytes0", "bytes33", "int", "", "uint256[", "uint256[0]", "uint256[-1]",
        "uint256[01]", "uint256]", "[]", "Uint8", "function", "uint256[99999999]",
    ])
    func `other names are no types`(name: String) {
        #expect(ABIType(name: name) == nil)
    }

    private static let one = String(repeating: "0", count: 63) + "1"
    private static let thirtyTwo = String(repeating: "0", count: 62) + "20"
    private static let all = String(repeating: "f", count: 64)

    @Test(arguments: [
        ("", "uint256", ABIError.truncated),
        ("00", "uint256", .truncated),
        (all, "uint8", .invalidValue),
        (String(one.dropLast()) + "2", "bool", .invalidValue),
        (all, "address", .invalidValue),
        (all, "bytes31", .invalidValue),
        ("00" + all.dropFirst(2), "int8", .invalidValue),
        (all, "bytes", .invalidOffset),
        (thirtyTwo, "bytes", .truncated),
        (thirtyTwo + all, "bytes", .invalidOffset),
        (thirtyTwo + one, "bytes", .invalidOffset),
        (thirtyTwo + one + all, "bytes", .invalidValue),
        (thirtyTwo + one + "61", "bytes", .truncated),
        (thirtyTwo + all, "uint256[]", .invalidOffset),
        (thirtyTwo + one, "uint256[]", .invalidOffset),
        // An array whose one element is at the array's own place.
        (thirtyTwo + one + all, "bytes[]", .invalidOffset),
    ])
    func `each malformed input has its error`(hex: String, type: String, error: ABIError) throws {
        let type = try #require(ABIType(name: type))
        #expect(throws: error) { try ABIValue.decode(Hex.bytes(hex), as: [type]) }
    }

    @Test func `offsets to the same content cannot multiply it`() throws {
        // Four levels of arrays of 64, all of whose elements are one and the same.
        func word(_ number: Int) -> [UInt8] { Word(UInt64(number)).bytes }
        var content = word(32) + word(64)
        for level in 0..<4 {
            let offset = 64 * 32
            content += (0..<64).flatMap { _ in word(offset) }
            content += word(level == 3 ? 0 : 64)
        }
        let type = ABIType.array(of: .array(of: .array(of: .array(of: .array(of: .uint256)))))
        #expect(throws: ABIError.invalidOffset) { try ABIValue.decode(content, as: [type]) }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `decoding is total`(seed: UInt64) {
        var mutations = ByteMutations(seed: seed)
        var accepted = 0
        for round in 0..<2_000 {
            let vector = Self.vectors[round % Self.vectors.count]
            let types = vector["types"].elements.compactMap { ABIType(name: $0.text) }
            guard let values = try? ABIValue.decode(mutations.next(of: vector["encoded"].hex), as: types) else {
                continue
            }
            accepted += 1
            #expect((try? ABIValue.decode(ABIValue.encode(values), as: types)) == values)
        }
        #expect(accepted > 0)
    }

    @Test func `events give their values in the order of the declaration`() throws {
        let event = ABIEvent("Moved", [.data(.string), .indexed(.address), .data(.uint256), .indexed(.string)])
        let text = Word(hashing: Array("indexed".utf8))
        let log = Log(
            address: .zero,
            topics: [event.topic, Word(7), text],
            data: ABIValue.encode([.string("moved"), .integer(9)]),
            blockNumber: 1,
            blockHash: .zero,
            transaction: .zero,
            index: 0
        )
        #expect(event.signature == "Moved(string,address,uint256,string)")
        #expect(try event.decode(log) == [.string("moved"), .word(Word(7)), .integer(9), .word(text)])
        let other = ABIEvent("Moved", [.data(.string)])
        #expect(throws: ABIError.otherSignature) { try other.decode(log) }
    }

    @Test func `a function's selector starts its calls`() throws {
        let transfer = ABIFunction("transfer", [.address, .uint256], returns: [.boolean])
        let call = transfer.encode([.address(.zero), .integer(5)])
        #expect(Hex.text(Array(call.prefix(4))) == "a9059cbb")
        #expect(try transfer.decodeCall(call) == [.address(.zero), .integer(5)])
        #expect(throws: ABIError.otherSignature) { try transfer.decodeCall([1, 2, 3]) }
        #expect(try transfer.decodeResults(Word(1).bytes) == [.boolean(true)])
    }
}
