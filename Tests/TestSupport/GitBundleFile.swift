public import Foundation

/// A git bundle: references, and a pack that may build on objects outside of it.
public struct GitBundleFile: Sendable {
    /// The hexadecimal id that each name stands for.
    public let heads: [String: String]
    public let pack: [UInt8]

    /// Reads `Vectors/<name>.bundle` of a test target's bundle.
    public init(file name: String, in bundle: Bundle) throws {
        guard let url = bundle.url(forResource: name, withExtension: "bundle", subdirectory: "Vectors") else {
            throw CocoaError(.fileNoSuchFile)
        }
        var rest = try [UInt8](Data(contentsOf: url))[...]
        var heads: [String: String] = [:]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = String(decoding: rest[..<end], as: UTF8.self)
            rest = rest[(end + 1)...]
            if line.isEmpty { break }
            let words = line.split(separator: " ", maxSplits: 1)
            if words.count == 2 { heads[String(words[1])] = String(words[0]) }
        }
        self.heads = heads
        pack = Array(rest)
    }
}
