import MessagePack
import TestSupport
import Testing

@Suite struct MessagePackReaderTests {
    @Test(arguments: golden) func `golden bytes are read`(example: Golden) throws {
        #expect(try MessagePackValue.decode(example.bytes) == example.value)
    }

    @Test(arguments: longForms) func `longer encodings than needed are read`(example: Golden) throws {
        #expect(try MessagePackValue.decode(example.bytes) == example.value)
    }

    @Test(arguments: malformed) func `malformed bytes are refused`(example: Malformed) {
        #expect(throws: example.error) { try MessagePackValue.decode(example.bytes) }
    }

    @Test(arguments: golden) func `every prefix of an object is truncated`(example: Golden) {
        for length in 0..<example.bytes.count {
            #expect(throws: MessagePackError.truncated) {
                try MessagePackValue.decode(Array(example.bytes.prefix(length)))
            }
        }
    }

    @Test(arguments: golden) func `skipping ends where reading ends`(example: Golden) throws {
        var reader = MessagePackReader(example.bytes.span.bytes)
        let range = try reader.skip()
        #expect(range == 0..<example.bytes.count)
        let isAtEnd = reader.isAtEnd
        #expect(isAtEnd)
    }

    @Test func `nesting up to the limit is read and one more is refused`() throws {
        let limits = MessagePackLimits(depth: 3)
        let nested: [UInt8] = [0x91, 0x91, 0x91, 0x01]
        let deeper = [0x91] + nested
        #expect(throws: Never.self) { try MessagePackValue.decode(nested, limits: limits) }
        #expect(throws: MessagePackError.tooDeep) { try MessagePackValue.decode(deeper, limits: limits) }
        #expect(throws: MessagePackError.tooDeep) {
            try MessagePackValue.decode([UInt8](repeating: 0x91, count: 100_000), limits: limits)
        }

        var fitting = MessagePackReader(nested.span.bytes, limits: limits)
        try fitting.skip()
        let isAtEnd = fitting.isAtEnd
        #expect(isAtEnd)
        var refusing = MessagePackReader(deeper.span.bytes, limits: limits)
        let error = failure { () throws(MessagePackError) in try refusing.skip() }
        #expect(error == .tooDeep)
        let refusedAt = refusing.offset
        #expect(refusedAt == 0)
    }

    @Test func `objects up to the limit are read and one more is refused`() throws {
        let limits = MessagePackLimits(items: 4)
        #expect(throws: Never.self) { try MessagePackValue.decode([0x93, 1, 2, 3], limits: limits) }
        #expect(throws: MessagePackError.tooManyItems) {
            try MessagePackValue.decode([0x94, 1, 2, 3, 4], limits: limits)
        }
    }

    @Test func `a refused read leaves the reader where it was`() throws {
        // A negative integer, then text that is no UTF-8, then a wide integer.
        let bytes: [UInt8] = [0xFF, 0xA1, 0xFF, 0xCD, 0x01, 0x00]
        var reader = MessagePackReader(bytes.span.bytes)
        let negative = failure { () throws(MessagePackError) in _ = try reader.readUInt64() }
        var offset = reader.offset
        #expect(negative == .integerOutOfRange)
        #expect(offset == 0)
        let asText = failure { () throws(MessagePackError) in _ = try reader.readText() }
        offset = reader.offset
        #expect(asText == .unexpected(.integer))
        #expect(offset == 0)
        let signed = try reader.readInt64()
        #expect(signed == -1)
        let invalid = failure { () throws(MessagePackError) in _ = try reader.readText() }
        offset = reader.offset
        #expect(invalid == .invalidText)
        #expect(offset == 1)
        let raw = try reader.readBinary()
        #expect(raw == [0xFF])
        let narrow = failure { () throws(MessagePackError) in _ = try reader.readUnsigned(UInt8.self) }
        offset = reader.offset
        #expect(narrow == .integerOutOfRange)
        #expect(offset == 3)
        let wide = try reader.readUnsigned(UInt16.self)
        #expect(wide == 256)
        let isAtEnd = reader.isAtEnd
        #expect(isAtEnd)
    }

    @Test func `text is compared in place`() throws {
        let bytes: [UInt8] = [0xA2, 0x69, 0x64]
        var reader = MessagePackReader(bytes.span.bytes)
        let range = try reader.readTextRange()
        let same = reader.text(at: range, equals: "id")
        let other = reader.text(at: range, equals: "ie")
        let longer = reader.text(at: range, equals: "id2")
        #expect(same && !other && !longer)
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>) func `reading is total`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<4_000 {
            let bytes = random.bytes(Int.random(in: 0...48, using: &random))
            if let value = try? MessagePackValue.decode(bytes) {
                #expect(throws: Never.self, "seed \(seed), bytes \(Hex.text(bytes))") {
                    let again = try MessagePackValue.decode(value.encoded)
                    #expect(sameBits(again, value), "seed \(seed), bytes \(Hex.text(bytes))")
                }
            }
            var reader = MessagePackReader(bytes.span.bytes)
            while (try? reader.skip()) != nil {}
            let offset = reader.offset
            #expect(offset <= bytes.count)
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>) func `what is written is read again`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let value = randomValue(depth: 4, using: &random)
            let bytes = value.encoded
            #expect(try MessagePackValue.decode(bytes) == value, "seed \(seed)")
            var reader = MessagePackReader(bytes.span.bytes)
            let range = try reader.skip()
            #expect(range.count == bytes.count, "seed \(seed)")
        }
    }
}

/// The typed error of a body that borrows a reader, which macros cannot capture.
private func failure(_ body: () throws(MessagePackError) -> Void) -> MessagePackError? {
    do throws(MessagePackError) {
        try body()
        return nil
    } catch {
        return error
    }
}

/// Equality that holds for not-a-number too.
private func sameBits(_ left: MessagePackValue, _ right: MessagePackValue) -> Bool {
    left == right || left.encoded == right.encoded
}

private func randomValue(depth: Int, using random: inout SeededGenerator) -> MessagePackValue {
    switch Int.random(in: 0..<(depth > 0 ? 10 : 8), using: &random) {
    case 0: return .null
    case 1: return .boolean(Bool.random(using: &random))
    case 2: return .unsigned(random.next() >> UInt64.random(in: 0..<64, using: &random))
    case 3: return .negative(-1 - Int64(random.next() >> UInt64.random(in: 1..<64, using: &random)))
    case 4: return .float(Double(Int64(bitPattern: random.next())))
    case 5: return .text(Hex.text(random.bytes(Int.random(in: 0...140, using: &random))))
    case 6: return .binary(random.bytes(Int.random(in: 0...300, using: &random)))
    case 7: return .extended(type: 5, data: random.bytes(Int.random(in: 0...20, using: &random)))
    case 8:
        return .array(
            (0..<Int.random(in: 0...20, using: &random)).map { _ in randomValue(depth: depth - 1, using: &random) }
        )
    default:
        return .map(
            (0..<Int.random(in: 0...20, using: &random)).map { number in
                MessagePackValue.Pair(.unsigned(UInt64(number)), randomValue(depth: depth - 1, using: &random))
            }
        )
    }
}
