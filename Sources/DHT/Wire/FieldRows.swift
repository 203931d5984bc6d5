public import Keys
import MessagePack

/// The fields of one value that a query asked for; the others are `nil`.
///
/// An encrypted value shows its id alone: its other fields look like those of plain data of nobody.
public struct FieldRow: Hashable, Sendable {
    public var id: Value.ID?
    public var type: UInt16?
    /// The short id of the signer's key; zero for unsigned values.
    public var owner: InfoHash?
    /// The edition; zero for unsigned values.
    public var sequence: UInt16?
    public var userType: String?

    public init(
        id: Value.ID? = nil,
        type: UInt16? = nil,
        owner: InfoHash? = nil,
        sequence: UInt16? = nil,
        userType: String? = nil
    ) {
        self.id = id
        self.type = type
        self.owner = owner
        self.sequence = sequence
        self.userType = userType
    }
}

extension FieldRow {
    /// Some fields of a value, as a node sees them that cannot open it.
    init(_ value: Value, fields: [ValueField]) {
        self.init(
            id: value.id,
            type: value.visibleType,
            owner: value.visibleOwner,
            sequence: value.visibleSequence,
            userType: value.visibleUserType
        )
        self = keeping(fields)
    }

    func keeping(_ fields: [ValueField]) -> FieldRow {
        FieldRow(
            id: fields.contains(.id) ? id : nil,
            type: fields.contains(.type) ? type : nil,
            owner: fields.contains(.owner) ? owner : nil,
            sequence: fields.contains(.sequence) ? sequence : nil,
            userType: fields.contains(.userType) ? userType : nil
        )
    }

    /// Whether no field says otherwise than a filter; fields that are not there say nothing.
    func agrees(with filter: ValueFilter) -> Bool {
        switch filter {
        case .id(let wanted): id == nil || id == wanted
        case .type(let wanted): type == nil || type == wanted
        case .owner(let wanted): owner == nil || owner == wanted
        case .sequence(let wanted): sequence == wanted
        case .userType(let wanted): userType == nil || userType == wanted
        }
    }

    /// Whether another row says all that this one does.
    func isCovered(by other: FieldRow) -> Bool {
        (id == nil || id == other.id) && (type == nil || type == other.type) && (owner == nil || owner == other.owner)
            && (sequence == nil || sequence == other.sequence) && (userType == nil || userType == other.userType)
    }
}

/// The rows that a query has found, each once.
struct FoundRows: Sendable {
    private let fields: [ValueField]
    private let limit: Int
    private var known: Set<FieldRow> = []

    var isEmpty: Bool { known.isEmpty }

    init(fields: [ValueField], limit: Int) {
        self.fields = fields
        self.limit = limit
    }

    /// The row with no more than the fields that were asked for; `nil` if a known one says as much.
    mutating func admit(_ row: FieldRow, _ filters: [ValueFilter]) -> FieldRow? {
        guard filters.allSatisfy(row.agrees) else { return nil }
        let row = row.keeping(fields)
        guard known.count < limit, row != FieldRow(), !known.contains(row) else { return nil }
        // Whoever answers with fewer fields than were asked for is rare, so only then all rows are looked at.
        if row.fieldCount < fields.count, known.contains(where: row.isCovered) { return nil }
        known.insert(row)
        return row
    }
}

extension FieldRow {
    fileprivate var fieldCount: Int {
        [id != nil, type != nil, owner != nil, sequence != nil, userType != nil].count { $0 }
    }
}

/// Rows of selected fields.
///
/// Source: DHT protocol, "Rows".
enum FieldRows {
    /// Reads rows; one with a value that does not fit its field is left out.
    static func decode(_ bytes: RawSpan, limits: WireLimits = .standard) throws(WireError) -> [FieldRow] {
        var reader = MessagePackReader(bytes, limits: limits.messagePack)
        var fields: [ValueField]?
        var rows: [FieldRow] = []
        var cells: Range<Int>?
        try reader.readEntries { (reader, key) throws(WireError) in
            if reader.text(at: key, equals: "f") {
                fields = try Query.readFields(&reader)
            } else if reader.text(at: key, equals: "v") {
                cells = try reader.object { (reader) throws(MessagePackError) in try reader.skip() }
            } else {
                try reader.skipObject()
            }
        }
        guard let fields = fields?.sorted(), !fields.isEmpty else { throw .missing("f") }
        guard let cells else { throw .missing("v") }
        var cellReader = MessagePackReader(bytes.extracting(cells), limits: limits.messagePack)
        let count = try cellReader.arrayHeader()
        guard count % fields.count == 0 else { throw .invalid("v") }
        guard count / fields.count <= limits.rows else { throw .tooLarge("\(count) cells") }
        rows.reserveCapacity(count / fields.count)
        for _ in 0..<count / fields.count {
            var row = FieldRow()
            var isWhole = true
            for field in fields {
                let cell = try cellReader.object { (reader) throws(MessagePackError) in try reader.readValue() }
                isWhole = row.set(field, to: cell) && isWhole
            }
            if isWhole { rows.append(row) }
        }
        return rows
    }

    static func write(
        _ fields: [ValueField],
        of values: some Collection<Value>,
        to writer: inout MessagePackWriter
    ) {
        writer.writeMapHeader(count: 2)
        writer.write(key: "f")
        writer.writeArrayHeader(count: fields.count)
        for field in fields { writer.write(field.rawValue) }
        writer.write(key: "v")
        writer.writeArrayHeader(count: fields.count * values.count)
        for value in values {
            for field in fields { write(field, of: value, to: &writer) }
        }
    }

    private static func write(_ field: ValueField, of value: Value, to writer: inout MessagePackWriter) {
        switch field {
        case .id: writer.write(value.id)
        case .type: writer.write(value.visibleType)
        case .owner: writer.write(value.visibleOwner)
        case .sequence: writer.write(value.visibleSequence)
        case .userType: writer.write(value.visibleUserType)
        }
    }
}

extension ValueField {
    /// What it takes in a row, at most; the text of a user type not counted.
    var mostBytes: Int {
        switch self {
        case .id: 9
        case .type, .sequence: 3
        case .owner: 2 + InfoHash.byteCount
        case .userType: 5
        }
    }
}

extension FieldRow {
    fileprivate mutating func set(_ field: ValueField, to cell: MessagePackValue) -> Bool {
        switch field {
        case .id:
            id = cell.unsigned
            return id != nil
        case .type:
            type = cell.unsigned.flatMap { UInt16(exactly: $0) }
            return type != nil
        case .owner:
            // Other implementations send the whole key of a signed value.
            owner = cell.bytes.flatMap { InfoHash($0) ?? ($0.isEmpty ? nil : InfoHash(hashing: $0)) }
            return owner != nil
        case .sequence:
            sequence = cell.unsigned.flatMap { UInt16(exactly: $0) }
            return sequence != nil
        case .userType:
            userType = cell.bytes.flatMap { String(validating: $0, as: UTF8.self) }
            return userType != nil
        }
    }
}
