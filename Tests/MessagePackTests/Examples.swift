import MessagePack
import TestSupport
import Testing

/// Bytes and the value that they stand for.
struct Golden: Sendable, CustomTestStringConvertible {
    let bytes: [UInt8]
    let value: MessagePackValue

    init(_ hex: String, _ value: MessagePackValue) {
        bytes = Hex.bytes(hex)
        self.value = value
    }

    var testDescription: String { Hex.text(bytes) }
}

/// Bytes that are no object, and why.
struct Malformed: Sendable, CustomTestStringConvertible {
    let bytes: [UInt8]
    let error: MessagePackError

    init(_ hex: String, _ error: MessagePackError) {
        bytes = Hex.bytes(hex)
        self.error = error
    }

    var testDescription: String { Hex.text(bytes) }
}

/// Canonical encodings, written out by hand from the MessagePack specification.
let golden = [
    Golden("c0", .null),
    Golden("c2", .boolean(false)),
    Golden("c3", .boolean(true)),
    Golden("00", .unsigned(0)),
    Golden("7f", .unsigned(127)),
    Golden("cc80", .unsigned(128)),
    Golden("ccff", .unsigned(255)),
    Golden("cd0100", .unsigned(256)),
    Golden("cdffff", .unsigned(65_535)),
    Golden("ce00010000", .unsigned(65_536)),
    Golden("ceffffffff", .unsigned(0xFFFF_FFFF)),
    Golden("cf0000000100000000", .unsigned(0x1_0000_0000)),
    Golden("cfffffffffffffffff", .unsigned(.max)),
    Golden("ff", .negative(-1)),
    Golden("e0", .negative(-32)),
    Golden("d0df", .negative(-33)),
    Golden("d080", .negative(-128)),
    Golden("d1ff7f", .negative(-129)),
    Golden("d18000", .negative(-32_768)),
    Golden("d2ffff7fff", .negative(-32_769)),
    Golden("d280000000", .negative(-0x8000_0000)),
    Golden("d3ffffffff7fffffff", .negative(-0x8000_0001)),
    Golden("d38000000000000000", .negative(.min)),
    Golden("cb3ff8000000000000", .float(1.5)),
    Golden("a0", .text("")),
    Golden("a26869", .text("hi")),
    Golden("a4f09f9880", .text("😀")),
    Golden("d920" + String(repeating: "61", count: 32), .text(String(repeating: "a", count: 32))),
    Golden("c400", .binary([])),
    Golden("c403010203", .binary([1, 2, 3])),
    Golden("90", .array([])),
    Golden("93010203", .array([.unsigned(1), .unsigned(2), .unsigned(3)])),
    Golden("dc0010" + String(repeating: "c0", count: 16), .array([MessagePackValue](repeating: .null, count: 16))),
    Golden("80", .map([])),
    Golden("82a16101a16202", .fields(["a": .unsigned(1), "b": .unsigned(2)])),
    Golden("d405ff", .extended(type: 5, data: [0xFF])),
    Golden("d5fb0102", .extended(type: -5, data: [1, 2])),
    Golden("c70305010203", .extended(type: 5, data: [1, 2, 3])),
]

/// Allowed encodings that a canonical writer does not produce.
let longForms = [
    Golden("cc01", .unsigned(1)),
    Golden("cd0001", .unsigned(1)),
    Golden("ce00000001", .unsigned(1)),
    Golden("cf0000000000000001", .unsigned(1)),
    Golden("d001", .unsigned(1)),
    Golden("d30000000000000001", .unsigned(1)),
    Golden("d0ff", .negative(-1)),
    Golden("d3ffffffffffffffff", .negative(-1)),
    Golden("d90161", .text("a")),
    Golden("da000161", .text("a")),
    Golden("db0000000161", .text("a")),
    Golden("c5000101", .binary([1])),
    Golden("c60000000101", .binary([1])),
    Golden("dc0001c0", .array([.null])),
    Golden("dd00000001c0", .array([.null])),
    Golden("de0001c0c0", .map([.init(.null, .null)])),
    Golden("df00000001c0c0", .map([.init(.null, .null)])),
    Golden("c9000000010507", .extended(type: 5, data: [7])),
]

let malformed = [
    Malformed("", .truncated),
    Malformed("c1", .reservedFormat),
    Malformed("91c1", .reservedFormat),
    Malformed("0000", .trailingBytes),
    Malformed("9000", .trailingBytes),
    Malformed("a1ff", .invalidText),
    Malformed("a2c328", .invalidText),
    Malformed("a3eda080", .invalidText),
    Malformed("a1", .truncated),
    Malformed("d9", .truncated),
    Malformed("dbffffffff61", .truncated),
    Malformed("c4", .truncated),
    Malformed("c6ffffffff00", .truncated),
    Malformed("91", .truncated),
    Malformed("ddffffffff", .truncated),
    Malformed("ddffffffff00", .truncated),
    Malformed("81", .truncated),
    Malformed("8100", .truncated),
    Malformed("dfffffffff0000", .truncated),
    Malformed("df7fffffff", .truncated),
    Malformed("cf00000000000000", .truncated),
    Malformed("d3ffffffffffffff", .truncated),
    Malformed("ca000000", .truncated),
    Malformed("cb00000000000000", .truncated),
    Malformed("c7", .truncated),
    Malformed("c700", .truncated),
    Malformed("c9ffffffff05", .truncated),
    Malformed("d8050000", .truncated),
]
