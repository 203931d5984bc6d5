import JSON

/// The members of a node's JSON object, read as what they must be.
struct HexMembers {
    private let object: JSONValue

    init(_ object: JSONValue) {
        self.object = object
    }

    func isPresent(_ name: String) -> Bool {
        guard let value = object[name] else { return false }
        return value != .null
    }

    func bytes(_ name: String) -> [UInt8]? { object[name]?.string.flatMap(HexText.bytes) }
    func word(_ name: String) -> Word? { bytes(name).flatMap { Word($0) } }
    func address(_ name: String) -> Address? { bytes(name).flatMap { Address($0) } }
    func number(_ name: String) -> Word? { object[name]?.string.flatMap(HexText.word) }
    func integer(_ name: String) -> UInt64? { object[name]?.string.flatMap(HexText.integer) }
    func array(_ name: String) -> [JSONValue]? { object[name]?.array }

    /// All strings of an array as bytes, `nil` when one of them is something else.
    func byteStrings(_ name: String) -> [[UInt8]]? {
        guard let elements = array(name) else { return nil }
        let values = elements.compactMap { $0.string.flatMap(HexText.bytes) }
        return values.count == elements.count ? values : nil
    }
}
