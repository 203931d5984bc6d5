import DHT
import JSON
import Keys

/// The fields of a value that a query asked for.
enum RowText {
    static func line(_ row: FieldRow) -> String {
        var parts: [String] = []
        if let id = row.id { parts.append("id \(ValueText.id(id))") }
        if let type = row.type { parts.append("value_type \(type)") }
        if let owner = row.owner { parts.append("owner_pk \(owner.isZero ? "none" : owner.hex)") }
        if let sequence = row.sequence { parts.append("seq \(sequence)") }
        if let userType = row.userType { parts.append("user_type \"\(Output.safe(userType))\"") }
        return "  " + parts.joined(separator: "  ")
    }

    /// The fields `key` and, as far as they were asked for, `id`, `value_type`, `owner_pk`, `seq`, `user_type`.
    static func fields(_ row: FieldRow, key: InfoHash) -> [String: JSONValue] {
        var fields: [String: JSONValue] = ["event": .string("row"), "key": .string(key.hex)]
        if let id = row.id { fields["id"] = .string(ValueText.id(id)) }
        if let type = row.type { fields["value_type"] = .integer(Int64(type)) }
        if let owner = row.owner { fields["owner_pk"] = owner.isZero ? .null : .string(owner.hex) }
        if let sequence = row.sequence { fields["seq"] = .integer(Int64(sequence)) }
        if let userType = row.userType { fields["user_type"] = .string(userType) }
        return fields
    }
}
