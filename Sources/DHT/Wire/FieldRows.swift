import Keys
import MessagePack

/// The selected fields of one value, as a reply carries them.
struct FieldRow: Hashable, Sendable {
    var id: UInt64?
    var type: UInt16?
    /// The short id of the signer's key; zero for unsigned values.
    var owner: InfoHash?
    var sequence: UInt16?
    var userType: String?
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
