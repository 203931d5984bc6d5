/// Writes a JSON object with its members in the given order, as old clients have always seen them.
struct JSONText: Sendable {
    private(set) var bytes: [UInt8] = []
    private var isEmpty = true

    init(capacity: Int = 128) {
        bytes.reserveCapacity(capacity)
        bytes.append(Self.open)
    }

    private static let open = UInt8(ascii: "{")
    private static let quote = UInt8(ascii: "\"")

    /// Ends the object; nothing is added afterwards.
    consuming func ended() -> JSONText {
        bytes.append(UInt8(ascii: "}"))
        return self
    }

    private mutating func key(_ key: StaticString) {
        if !isEmpty { bytes.append(UInt8(ascii: ",")) }
        isEmpty = false
        bytes.append(Self.quote)
        unsafe bytes.append(
            contentsOf: UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
        )
        bytes.append(Self.quote)
        bytes.append(UInt8(ascii: ":"))
    }

    /// A text whose characters need no escapes: names, numbers, base64.
    mutating func add(_ name: StaticString, plain text: [UInt8]) {
        key(name)
        bytes.append(Self.quote)
        bytes.append(contentsOf: text)
        bytes.append(Self.quote)
    }

    mutating func add(_ name: StaticString, plain text: String) {
        key(name)
        bytes.append(Self.quote)
        bytes.append(contentsOf: text.utf8)
        bytes.append(Self.quote)
    }

    /// Any text.
    mutating func add(_ name: StaticString, _ text: String) {
        key(name)
        Self.append(text, to: &bytes)
    }

    mutating func add(_ name: StaticString, _ number: some BinaryInteger) {
        key(name)
        bytes.append(contentsOf: String(number).utf8)
    }

    mutating func add(_ name: StaticString, _ flag: Bool) {
        key(name)
        bytes.append(contentsOf: (flag ? "true" : "false").utf8)
    }

    /// Any JSON text.
    mutating func add(_ name: StaticString, json: [UInt8]) {
        key(name)
        bytes.append(contentsOf: json)
    }

    mutating func addNull(_ name: StaticString) {
        key(name)
        bytes.append(contentsOf: "null".utf8)
    }

    static func object(_ build: (inout JSONText) -> Void) -> JSONText {
        var text = JSONText()
        build(&text)
        return text.ended()
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(quote)
        for byte in text.utf8 {
            switch byte {
            case quote, UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x0A: bytes += Array("\\n".utf8)
            case 0..<0x20, 0x7F:
                let digits = Array("0123456789abcdef".utf8)
                bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(quote)
    }
}
