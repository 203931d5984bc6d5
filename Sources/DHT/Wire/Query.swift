public import Keys
import MessagePack

/// The fields of a value that a query can ask for or filter on.
public enum ValueField: UInt8, Sendable, CaseIterable, Comparable {
    case id = 1
    case type = 2
    case owner = 3
    case sequence = 4
    case userType = 5

    public static func < (left: ValueField, right: ValueField) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// One condition on a value.
public enum ValueFilter: Hashable, Sendable {
    case id(UInt64)
    case type(UInt16)
    /// The short id of the signer's key; zero for unsigned values.
    case owner(InfoHash)
    /// The edition; zero for unsigned values. Other nodes cannot filter on it, so that is done where the answers come in.
    case sequence(UInt16)
    case userType(String)

    public func matches(_ value: Value) -> Bool {
        switch self {
        case .id(let id): value.id == id
        case .type(let type): value.visibleType == type
        case .owner(let owner): value.visibleOwner == owner
        case .sequence(let sequence): value.visibleSequence == sequence
        case .userType(let text): value.visibleUserType == text
        }
    }
}

/// What a node is asked to answer: whole values or some fields, of the values that match all filters.
///
/// Source: DHT protocol, "Queries".
public struct Query: Hashable, Sendable {
    /// In ascending order; empty for whole values.
    public var fields: [ValueField]
    public var filters: [ValueFilter]

    public init(fields: [ValueField] = [], filters: [ValueFilter] = []) {
        self.fields = Array(Set(fields)).sorted()
        self.filters = filters
    }

    public var isEmpty: Bool { fields.isEmpty && filters.isEmpty }

    public func matches(_ value: Value) -> Bool {
        filters.allSatisfy { $0.matches(value) }
    }

    /// What other nodes are asked for it: all that they can filter on, and the fields to filter on the rest here.
    var onWire: Query {
        let sent = filters.filter(\.isOnWire)
        guard sent.count < filters.count else { return self }
        return Query(fields: fields.isEmpty ? [] : fields + [.sequence], filters: sent)
    }

    /// Whether the answer to another query holds all that this one asks for.
    public func isSatisfied(by other: Query) -> Bool {
        guard other.filters.allSatisfy(filters.contains) else { return false }
        return fields.isEmpty ? other.fields.isEmpty : other.fields.isEmpty || fields.allSatisfy(other.fields.contains)
    }
}

extension Array where Element == ValueFilter {
    func matches(_ value: Value) -> Bool {
        allSatisfy { $0.matches(value) }
    }
}

// MARK: - Codec

extension Query {
    init(reading reader: inout MessagePackReader, limits: WireLimits = .standard) throws(WireError) {
        var fields: [ValueField]?
        var filters: [ValueFilter]?
        try reader.readEntries { (reader, key) throws(WireError) in
            if reader.text(at: key, equals: "s") {
                fields = try Self.readFields(&reader)
            } else if reader.text(at: key, equals: "w") {
                filters = try Self.readFilters(&reader, limits: limits)
            } else {
                try reader.skipObject()
            }
        }
        guard let fields else { throw .missing("s") }
        guard let filters else { throw .missing("w") }
        self.init(fields: fields, filters: filters)
    }

    static func readFields(_ reader: inout MessagePackReader) throws(WireError) -> [ValueField] {
        let count = try reader.arrayHeader()
        guard count <= 16 else { throw .tooLarge("list of \(count) fields") }
        var fields: [ValueField] = []
        for _ in 0..<count {
            guard let number = UInt8(exactly: try reader.number()), let field = ValueField(rawValue: number) else {
                throw .invalid("field")
            }
            if !fields.contains(field) { fields.append(field) }
        }
        return fields
    }

    private static func readFilters(
        _ reader: inout MessagePackReader,
        limits: WireLimits
    ) throws(WireError) -> [ValueFilter] {
        let count = try reader.arrayHeader()
        guard count <= limits.filters else { throw .tooLarge("list of \(count) filters") }
        var filters: [ValueFilter] = []
        for _ in 0..<count {
            var field: UInt64?
            var content = MessagePackValue.null
            try reader.readEntries { (reader, key) throws(WireError) in
                if reader.text(at: key, equals: "f") {
                    field = try reader.number()
                } else if reader.text(at: key, equals: "v") {
                    content = try reader.object { (reader) throws(MessagePackError) in try reader.readValue() }
                } else {
                    try reader.skipObject()
                }
            }
            guard let field, let filter = ValueFilter(field: field, content: content) else { throw .invalid("filter") }
            filters.append(filter)
        }
        return filters
    }

    func write(to writer: inout MessagePackWriter) {
        writer.writeMapHeader(count: 2)
        writer.write(key: "s")
        writer.writeArrayHeader(count: fields.count)
        for field in fields { writer.write(field.rawValue) }
        let filters = filters.filter(\.isOnWire)
        writer.write(key: "w")
        writer.writeArrayHeader(count: filters.count)
        for filter in filters {
            writer.writeMapHeader(count: 2)
            writer.write(key: "f")
            filter.write(to: &writer)
        }
    }
}

extension ValueFilter {
    fileprivate var isOnWire: Bool {
        if case .sequence = self { false } else { true }
    }

    fileprivate init?(field: UInt64, content: MessagePackValue) {
        switch UInt8(exactly: field).flatMap(ValueField.init(rawValue:)) {
        case .id:
            guard let id = content.unsigned else { return nil }
            self = .id(id)
        case .type:
            guard let type = content.unsigned.flatMap({ UInt16(exactly: $0) }) else { return nil }
            self = .type(type)
        case .owner:
            guard let id = content.bytes.flatMap({ InfoHash($0) }) else { return nil }
            self = .owner(id)
        case .userType:
            guard let text = content.bytes.flatMap({ String(validating: $0, as: UTF8.self) }) else { return nil }
            self = .userType(text)
        case .sequence, nil:
            return nil
        }
    }

    /// The field's number and its value, behind the key `f`.
    fileprivate func write(to writer: inout MessagePackWriter) {
        switch self {
        case .id(let id):
            writer.write(ValueField.id.rawValue)
            writer.write(key: "v")
            writer.write(id)
        case .type(let type):
            writer.write(ValueField.type.rawValue)
            writer.write(key: "v")
            writer.write(type)
        case .owner(let owner):
            writer.write(ValueField.owner.rawValue)
            writer.write(key: "v")
            writer.write(owner)
        case .sequence(let sequence):
            writer.write(ValueField.sequence.rawValue)
            writer.write(key: "v")
            writer.write(sequence)
        case .userType(let text):
            writer.write(ValueField.userType.rawValue)
            writer.write(key: "v")
            writer.write(binary: Array(text.utf8))
        }
    }
}
