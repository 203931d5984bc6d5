public import Foundation

/// A JSON file of known answers, or a part of it.
///
/// A path that is not there gives a part without content, so that a test fails where it asks for a value.
public struct JSONVector: @unchecked Sendable {
    // Only Foundation's immutable JSON objects are in here.
    public let content: Any?

    public init(_ content: Any?) {
        self.content = content
    }

    /// Reads `Vectors/<name>.json` of a test target's bundle.
    public init(file name: String, in bundle: Bundle) throws {
        guard let url = bundle.url(forResource: name, withExtension: "json", subdirectory: "Vectors") else {
            throw CocoaError(.fileNoSuchFile)
        }
        content = try JSONSerialization.jsonObject(with: Data(contentsOf: url), options: .fragmentsAllowed)
    }

    public subscript(key: String) -> JSONVector {
        JSONVector((content as? [String: Any])?[key])
    }

    public subscript(index: Int) -> JSONVector {
        let elements = elements
        return elements.indices.contains(index) ? elements[index] : JSONVector(nil)
    }

    public var elements: [JSONVector] { (content as? [Any] ?? []).map(JSONVector.init) }
    public var keys: [String] { (content as? [String: Any] ?? [:]).keys.sorted() }
    public var isPresent: Bool { content != nil && !(content is NSNull) }

    /// The text, empty when there is none.
    public var text: String { content as? String ?? "" }
    public var integer: Int { (content as? NSNumber)?.intValue ?? 0 }
    public var unsigned: UInt64 { (content as? NSNumber)?.uint64Value ?? 0 }
    public var boolean: Bool { (content as? NSNumber)?.boolValue ?? false }

    /// The bytes of hexadecimal text, empty when there is none.
    public var hex: [UInt8] {
        let digits = Array(text.utf8)
        return stride(from: 0, to: digits.count - digits.count % 2, by: 2).compactMap { index in
            UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16)
        }
    }

    /// The bytes of base64 text, empty when there is none.
    public var base64: [UInt8] { Data(base64Encoded: text).map(Array.init) ?? [] }
}
