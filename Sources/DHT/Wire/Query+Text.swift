import Keys

/// Why a text is not a query.
public enum QueryTextError: Error, Equatable, Sendable, CustomStringConvertible {
    /// More bytes than ``Query/longestText``.
    case tooLong(bytes: Int)
    /// Something stands where `SELECT`, `WHERE` or the end is expected.
    case unexpected(String)
    case missingFields
    case missingConditions
    case unknownField(String)
    /// `*` stands for whole values, so it stands alone.
    case starAmongFields
    /// More than ``Query/mostConditions``.
    case tooManyConditions
    case missingEquals(field: String)
    case missingValue(field: String)
    case openQuote(field: String)
    case invalidValue(field: String, text: String, expected: String)

    public var description: String {
        switch self {
        case .tooLong(let bytes): "The query has \(bytes) bytes, more than \(Query.longestText)."
        case .unexpected(let text):
            "\(Self.quoted(text)) stands where SELECT, WHERE or the end of the query is expected."
        case .missingFields: "A field or * is missing after SELECT."
        case .missingConditions: "A condition such as id=5 is missing after WHERE."
        case .unknownField(let name): "\(Self.quoted(name)) is no field; fields are \(Self.fieldNames)."
        case .starAmongFields: "The * asks for whole values, so no field can stand beside it."
        case .tooManyConditions: "The query has more than \(Query.mostConditions) conditions."
        case .missingEquals(let field): "A = is missing after \(field)."
        case .missingValue(let field): "A value is missing after \(field)=."
        case .openQuote(let field): "The quotation mark after \(field)= is not closed."
        case .invalidValue(let field, let text, let expected): "\(Self.quoted(text)) is no \(field): \(expected)."
        }
    }

    private static let fieldNames = ValueField.allCases.map(\.name).joined(separator: ", ")

    /// Foreign text, short enough to be shown.
    private static func quoted(_ text: String) -> String {
        text.unicodeScalars.count > 40 ? "“\(String(text.unicodeScalars.prefix(40)))…”" : "“\(text)”"
    }
}

extension ValueField {
    /// As queries are written; the names are those of other implementations.
    public var name: String {
        switch self {
        case .id: "id"
        case .type: "value_type"
        case .owner: "owner_pk"
        case .sequence: "seq"
        case .userType: "user_type"
        }
    }

    /// The field of a name, or of another name that is in use for it.
    public init?(name: String) {
        switch name {
        case "owner", "owner_pk_hash": self = .owner
        default:
            guard let field = Self.allCases.first(where: { $0.name == name }) else { return nil }
            self = field
        }
    }
}

/// Queries as users write them: `SELECT id,seq WHERE value_type=3,user_type="text/plain"`.
///
/// Both parts may be missing, and `*` asks for whole values. Key words are read in any case, spaces are allowed around
/// commas and equals signs. A user type can stand in quotation marks, which are doubled inside; without them it ends at
/// a space or comma. What other implementations leave out without a word is an error here.
/// Source: DHT protocol, "Queries as text".
extension Query {
    /// Bytes of a text that is read at most.
    public static let longestText = 4096
    /// Conditions that a query can have.
    public static let mostConditions = WireLimits.standard.filters

    public init(parsing text: String) throws(QueryTextError) {
        var reader = try QueryTextReader(text)
        self.init()
        if reader.takeKeyword("SELECT") { self.init(fields: try reader.readFields()) }
        if reader.takeKeyword("WHERE") { filters = try reader.readConditions() }
        try reader.finish()
    }
}

extension Query: CustomStringConvertible {
    /// The text that ``init(parsing:)`` reads as this query, unless it is longer than ``longestText``.
    public var description: String {
        let selection = fields.isEmpty ? "*" : fields.map(\.name).joined(separator: ",")
        return filters.isEmpty ? "SELECT \(selection)" : "SELECT \(selection) WHERE \(filters.text)"
    }
}

extension ValueFilter: CustomStringConvertible {
    public var description: String {
        switch self {
        case .id(let id): "\(ValueField.id.name)=\(id)"
        case .type(let type): "\(ValueField.type.name)=\(type)"
        case .owner(let owner): "\(ValueField.owner.name)=\(owner.hex)"
        case .sequence(let sequence): "\(ValueField.sequence.name)=\(sequence)"
        case .userType(let text): "\(ValueField.userType.name)=\(Self.quoted(text))"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" { result.unicodeScalars.append(scalar) }
            result.unicodeScalars.append(scalar)
        }
        return result + "\""
    }
}

extension Array where Element == ValueFilter {
    /// Reads conditions, with or without `WHERE` in front; an empty text has none.
    public init(parsing text: String) throws(QueryTextError) {
        var reader = try QueryTextReader(text)
        let hasKeyword = reader.takeKeyword("WHERE")
        self = reader.isAtEnd && !hasKeyword ? [] : try reader.readConditions()
        try reader.finish()
    }

    /// The text that ``init(parsing:)`` reads as these conditions.
    public var text: String {
        map(\.description).joined(separator: ",")
    }
}

/// Goes through the text of a query.
private struct QueryTextReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) throws(QueryTextError) {
        bytes = Array(text.utf8)
        guard bytes.count <= Query.longestText else { throw .tooLong(bytes: bytes.count) }
        skipSpaces()
    }

    var isAtEnd: Bool { position == bytes.count }

    func finish() throws(QueryTextError) {
        guard isAtEnd else { throw .unexpected(String(decoding: bytes[position...], as: UTF8.self)) }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (9...13).contains(byte)
    }

    private mutating func skipSpaces() {
        while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        skipSpaces()
        return true
    }

    /// What stands here up to a space, or to one of some marks.
    private mutating func takeWord(until marks: [UInt8]) -> String {
        let start = position
        while position < bytes.count, !Self.isSpace(bytes[position]), !marks.contains(bytes[position]) { position += 1 }
        defer { skipSpaces() }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    mutating func takeKeyword(_ keyword: String) -> Bool {
        let start = position
        guard Self.isKeyword(takeWord(until: []), keyword) else {
            position = start
            return false
        }
        return true
    }

    private static func isKeyword(_ word: String, _ keyword: String) -> Bool {
        word.utf8.elementsEqual(keyword.utf8) { $0 & 0xDF == $1 }
    }

    private static let nameEnds = [UInt8(ascii: ","), UInt8(ascii: "=")]

    mutating func readFields() throws(QueryTextError) -> [ValueField] {
        var fields: [ValueField] = []
        var hasStar = false
        repeat {
            let name = takeWord(until: Self.nameEnds)
            guard !name.isEmpty, !Self.isKeyword(name, "WHERE") else { throw .missingFields }
            if name == "*" {
                hasStar = true
            } else if let field = ValueField(name: name) {
                fields.append(field)
            } else {
                throw .unknownField(name)
            }
            guard !hasStar || fields.isEmpty else { throw .starAmongFields }
        } while take(",")
        return fields
    }

    mutating func readConditions() throws(QueryTextError) -> [ValueFilter] {
        var filters: [ValueFilter] = []
        repeat {
            let name = takeWord(until: Self.nameEnds)
            guard !name.isEmpty else { throw .missingConditions }
            guard let field = ValueField(name: name) else { throw .unknownField(name) }
            guard take("=") else { throw .missingEquals(field: name) }
            guard filters.count < Query.mostConditions else { throw .tooManyConditions }
            filters.append(try readCondition(on: field))
        } while take(",")
        return filters
    }

    private mutating func readCondition(on field: ValueField) throws(QueryTextError) -> ValueFilter {
        if field == .userType, position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
            return .userType(try readQuoted(field))
        }
        let text = takeWord(until: [UInt8(ascii: ",")])
        guard !text.isEmpty else { throw .missingValue(field: field.name) }
        switch field {
        case .id:
            if let id = UInt64(digits: text) { return .id(id) }
            throw .invalidValue(field: field.name, text: text, expected: "a number up to \(UInt64.max) is expected")
        case .type, .sequence:
            if let number = UInt64(digits: text).flatMap({ UInt16(exactly: $0) }) {
                return field == .type ? .type(number) : .sequence(number)
            }
            throw .invalidValue(field: field.name, text: text, expected: "a number up to \(UInt16.max) is expected")
        case .owner:
            if let owner = InfoHash(hex: text) { return .owner(owner) }
            throw .invalidValue(field: field.name, text: text, expected: "40 hexadecimal digits are expected")
        case .userType:
            return .userType(text)
        }
    }

    private mutating func readQuoted(_ field: ValueField) throws(QueryTextError) -> String {
        let mark = UInt8(ascii: "\"")
        var content: [UInt8] = []
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == mark {
                guard position < bytes.count, bytes[position] == mark else {
                    skipSpaces()
                    return String(decoding: content, as: UTF8.self)
                }
                position += 1
            }
            content.append(byte)
        }
        throw .openQuote(field: field.name)
    }
}

extension UInt64 {
    /// Decimal digits alone: no sign, which the standard initialiser takes.
    fileprivate init?(digits text: String) {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        self.init(text)
    }
}
