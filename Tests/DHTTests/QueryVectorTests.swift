import Foundation
import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import DHT

@Suite struct QueryVectorTests {
    @Test func `queries are those of the real library byte for byte`() throws {
        for vector in try Vectors.load("opendht-queries")["queries"].elements where vector["packed"].isPresent {
            let bytes = vector["packed"].hex
            var reader = MessagePackReader(bytes.span.bytes)
            let query = try Query(reading: &reader)
            var writer = MessagePackWriter()
            query.write(to: &writer)
            #expect(writer.bytes == bytes, "\(vector["text"].text)")
        }
    }

    @Test func `rows of the real library are read`() throws {
        for vector in try Vectors.load("opendht-queries")["field_rows"].elements {
            let fields = vector["fields"].elements.compactMap { ValueField(rawValue: UInt8($0.integer)) }
            var writer = MessagePackWriter()
            writer.writeMapHeader(count: 2)
            writer.write("f")
            writer.writeArrayHeader(count: fields.count)
            for field in fields { writer.write(field.rawValue) }
            writer.write("v")
            writer.writeArrayHeader(count: fields.count)
            writer.write(encoded: vector["packed"].hex)
            let rows = try FieldRows.decode(writer.bytes.span.bytes)
            #expect(rows.count == 1)
            #expect(rows[0].id == 77)
            guard fields.count == 5 else { continue }
            #expect(rows[0].type == 3 && rows[0].sequence == 4 && rows[0].userType == "ut")
            let owner = "11463607cec719847a3efe0d4e02bb672d621476"
            #expect(rows[0].owner?.hex == (vector["signed"].boolean ? owner : InfoHash.zero.hex))
        }
    }

    @Test func `rows that we write are read`() throws {
        let values = [Value(id: 1, type: 8, userType: "a"), Value(id: 2, owner: [1], sequence: 3, signature: [1])]
        var writer = MessagePackWriter()
        FieldRows.write(ValueField.allCases, of: values, to: &writer)
        let rows = try FieldRows.decode(writer.bytes.span.bytes)
        #expect(rows.map(\.id) == [1, 2])
        #expect(rows.map(\.owner) == [.zero, InfoHash(hashing: [1] as [UInt8])])
        #expect(rows.map(\.sequence) == [0, 3])
    }

    @Test func `a row with a cell that does not fit is left out`() throws {
        // Fields 1 and 5; the second row has a number where a text belongs.
        let bytes = try #require(Hexadecimal.decode("82a166920105a1769401a161020a"))
        let rows = try FieldRows.decode(bytes.span.bytes)
        #expect(rows == [FieldRow(id: 1, userType: "a")])
    }

    @Test(arguments: [
        "81a1739101", "81a17790", "82a1739106a17790", "82a17390a1779181a16601", "82a17390a1779182a16604a17604",
        "82a17390a1779182a16603a17603", "82a173c0a17790", "82a17390a177c0", "90",
    ]) func `malformed queries are refused`(hex: String) throws {
        let bytes = try #require(Hexadecimal.decode(hex))
        #expect(throws: WireError.self) {
            var reader = MessagePackReader(bytes.span.bytes)
            _ = try Query(reading: &reader)
        }
    }

    @Test func `encrypted values look like plain data of nobody`() {
        let sealed = Value(id: 4, cypher: [1])
        #expect(Query(filters: [.id(4), .type(0), .owner(.zero), .userType("")]).matches(sealed))
        #expect(!Query(filters: [.type(5)]).matches(sealed))
    }

    @Test func `a query is satisfied by one that asks for more`() {
        let all = Query()
        let one = Query(filters: [.id(1)])
        let ids = Query(fields: [.id])
        #expect(one.isSatisfied(by: all))
        #expect(!all.isSatisfied(by: one))
        #expect(ids.isSatisfied(by: all))
        #expect(!all.isSatisfied(by: ids))
        #expect(ids.isSatisfied(by: Query(fields: [.id, .sequence])))
    }
}
