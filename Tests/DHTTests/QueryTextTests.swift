import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import DHT

@Suite struct QueryTextTests {
    static let owner = "f1d2d2f924e986ac86fdf7b36c94bcdf32beec15"

    @Test func `texts are read as the real library reads them`() throws {
        for vector in try Vectors.load("opendht-queries")["queries"].elements where vector["packed"].isPresent {
            let text = vector["text"].text
            guard !text.hasPrefix("API") else { continue }
            let query = try Query(parsing: text)
            #expect(query.packed == vector["packed"].hex, "\(text)")
            #expect(try Query(parsing: query.description) == query)
        }
    }

    static let texts: [(String, Query)] = [
        ("", Query()),
        ("  \t", Query()),
        ("SELECT *", Query()),
        ("select id where seq=3", Query(fields: [.id], filters: [.sequence(3)])),
        ("Select seq , id,seq", Query(fields: [.id, .sequence])),
        ("SELECT id,value_type WHERE owner=\(owner),seq=3", idAndTypeOfOwner),
        ("SELECT value_type,id WHERE owner_pk=\(owner.uppercased()) , seq = 3", idAndTypeOfOwner),
        ("SELECT value_type,id WHERE owner_pk_hash=\(owner),seq=3", idAndTypeOfOwner),
        ("WHERE user_type=\"a, \"\"b\"\"=c\"", Query(filters: [.userType("a, \"b\"=c")])),
        ("WHERE user_type=\"\",id=0", Query(filters: [.userType(""), .id(0)])),
        ("WHERE user_type=a=b", Query(filters: [.userType("a=b")])),
        ("WHERE user_type=a\"b", Query(filters: [.userType("a\"b")])),
        ("WHERE user_type=☎", Query(filters: [.userType("☎")])),
        ("WHERE value_type=65535,id=18446744073709551615", Query(filters: [.type(65535), .id(.max)])),
        ("WHERE id=1,id=2", Query(filters: [.id(1), .id(2)])),
    ]

    private static let idAndTypeOfOwner = Query(
        fields: [.id, .type],
        filters: [.owner(InfoHash(hex: owner) ?? .zero), .sequence(3)]
    )

    @Test(arguments: texts) func `a text says what is asked`(text: String, query: Query) throws {
        #expect(try Query(parsing: text) == query)
        #expect(try Query(parsing: query.description) == query)
    }

    static let malformed: [(String, QueryTextError)] = [
        ("garbage", .unexpected("garbage")),
        ("id=5", .unexpected("id=5")),
        ("SELECTid", .unexpected("SELECTid")),
        ("SELECT", .missingFields),
        ("SELECT ,id", .missingFields),
        ("SELECT id,", .missingFields),
        ("SELECT id,,seq", .missingFields),
        ("SELECT foo", .unknownField("foo")),
        ("SELECT ID", .unknownField("ID")),
        ("SELECT id,*", .starAmongFields),
        ("SELECT *,id", .starAmongFields),
        ("SELECT id seq", .unexpected("seq")),
        ("SELECT WHERE id=5", .missingFields),
        ("SELECT id=5", .unexpected("=5")),
        ("WHERE", .missingConditions),
        ("SELECT id WHERE", .missingConditions),
        ("WHERE ,id=5", .missingConditions),
        ("WHERE id=5,", .missingConditions),
        ("WHERE id", .missingEquals(field: "id")),
        ("WHERE id,seq=1", .missingEquals(field: "id")),
        ("WHERE id=", .missingValue(field: "id")),
        ("WHERE id=,seq=1", .missingValue(field: "id")),
        ("WHERE user_type=", .missingValue(field: "user_type")),
        ("WHERE foo=1", .unknownField("foo")),
        ("WHERE *=1", .unknownField("*")),
        ("WHERE id=5 SELECT id", .unexpected("SELECT id")),
        ("WHERE id=5 x", .unexpected("x")),
        ("WHERE id=5 WHERE id=5", .unexpected("WHERE id=5")),
        ("WHERE id=18446744073709551616", number("id", "18446744073709551616", UInt64.max)),
        ("WHERE id=-1", number("id", "-1", UInt64.max)),
        ("WHERE id=+1", number("id", "+1", UInt64.max)),
        ("WHERE id=0x10", number("id", "0x10", UInt64.max)),
        ("WHERE id=٣", number("id", "٣", UInt64.max)),
        ("WHERE value_type=65536", number("value_type", "65536", UInt64(UInt16.max))),
        ("WHERE seq=70000", number("seq", "70000", UInt64(UInt16.max))),
        ("WHERE owner_pk=f1d2", ownerError("f1d2")),
        ("WHERE owner=\(owner)0", ownerError(owner + "0")),
        ("WHERE user_type=\"a", .openQuote(field: "user_type")),
        ("WHERE user_type=\"a\"\"", .openQuote(field: "user_type")),
        ("WHERE user_type=\"a\"b", .unexpected("b")),
        ("WHERE \(Array(repeating: "id=1", count: 17).joined(separator: ","))", .tooManyConditions),
        ("WHERE user_type=" + String(repeating: "x", count: 4096), .tooLong(bytes: 4112)),
    ]

    private static func number(_ field: String, _ text: String, _ limit: UInt64) -> QueryTextError {
        .invalidValue(field: field, text: text, expected: "a number up to \(limit) is expected")
    }

    private static func ownerError(_ text: String) -> QueryTextError {
        .invalidValue(field: "owner_pk", text: text, expected: "40 hexadecimal digits are expected")
    }

    @Test(arguments: malformed) func `malformed texts are refused with a sentence`(text: String, error: QueryTextError)
    {
        #expect(throws: error) { try Query(parsing: text) }
        #expect(error.description.hasSuffix(".") && error.description.utf8.count < 200)
    }

    @Test func `a query may be as long as the limits say`() throws {
        let filters = Array(repeating: "id=1", count: 16).joined(separator: ",")
        #expect(try Query(parsing: "WHERE " + filters).filters.count == 16)
        let long = "WHERE user_type=" + String(repeating: "x", count: 4096 - 16)
        #expect(try Query(parsing: long).filters.count == 1)
    }

    @Test func `conditions stand alone too`() throws {
        #expect(try [ValueFilter](parsing: "") == [])
        #expect(try [ValueFilter](parsing: "id=1,seq=2") == [.id(1), .sequence(2)])
        #expect(try [ValueFilter](parsing: " where id=1") == [.id(1)])
        #expect([ValueFilter.id(1), .userType("x")].text == "id=1,user_type=\"x\"")
        for text in ["SELECT id", "WHERE", "SELECT id WHERE id=1", "x", "id=1,"] {
            #expect(throws: QueryTextError.self) { try [ValueFilter](parsing: text) }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading is total, and what is read can be written`(seed: UInt64) {
        var randomness = Randomness.seeded(seed)
        let words = [
            "SELECT", "WHERE", "select", "id", "seq", "value_type", "owner_pk", "user_type", "*", ",", "=", "\"", " ",
            "5",
            "70000", Self.owner, "é", "\u{301}", "\0", "\n",
        ]
        var understood = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...9, using: &randomness)
            var text = (0..<count).map { _ in words[Int.random(in: words.indices, using: &randomness)] }
                .joined(separator: Bool.random(using: &randomness) ? " " : "")
            if Bool.random(using: &randomness) { text = "WHERE user_type=" + text }
            guard let query = try? Query(parsing: text) else { continue }
            understood += 1
            let again = try? Query(parsing: query.description)
            if again != query { Issue.record("\(text.debugDescription) became \(query)") }
        }
        #expect(understood > 100)
    }
}

extension Query {
    fileprivate var packed: [UInt8] {
        var writer = MessagePackWriter()
        write(to: &writer)
        return writer.bytes
    }
}
