import Keys
import MessagePack

/// The `values` of a message: whole ones, or the sizes of those that follow in parts.
///
/// Source: DHT protocol, "Value arrays and fragmentation".
struct ValueArray: Sendable {
    var values: [Value] = []
    /// The byte counts of values to come, by their index in the array.
    var announced: [(index: Int, size: Int)] = []

    /// Reads an array; values that cannot be read and sizes that are too large are left out.
    init(decoding bytes: RawSpan, limits: WireLimits = .standard) throws(WireError) {
        var reader = MessagePackReader(bytes, limits: limits.messagePack)
        let count = try reader.arrayHeader()
        guard count <= limits.values else { throw .tooLarge("\(count) values") }
        var total = 0
        for index in 0..<count {
            let kind = try reader.object { (reader) throws(MessagePackError) in try reader.peek() }
            var element = reader
            if kind == .integer {
                try reader.skipObject()
                guard let size = try? element.readUnsigned(UInt32.self), size > 0, Int(size) <= limits.value else {
                    continue
                }
                total += Int(size)
                guard total <= limits.message else { throw .tooLarge("values of \(total) bytes") }
                announced.append((index, Int(size)))
            } else if let value = try? Value(reading: &element) {
                values.append(value)
                reader = element
            } else {
                try reader.skipObject()
            }
        }
    }

    init(values: [Value]) {
        self.values = values
    }
}

/// The encoded values of an outgoing message, and whether they fit into it.
struct OutgoingValues: Sendable {
    let encoded: [[UInt8]]
    let isInline: Bool

    init(_ encoded: [[UInt8]]) {
        self.encoded = encoded
        isInline =
            encoded.count < WireConstants.inlineCount
            && encoded.reduce(0) { $0 + $1.count } < WireConstants.inlineBytes
    }

    static let none = OutgoingValues([])

    /// The element of the key `values`.
    func write(to writer: inout MessagePackWriter) {
        writer.write(key: "values")
        writer.writeArrayHeader(count: encoded.count)
        for value in encoded {
            if isInline {
                writer.write(encoded: value)
            } else {
                writer.write(UInt64(value.count))
            }
        }
    }
}
