import Ethereum
import Foundation
import JSON
import TestSupport
import Testing

enum Vectors {
    static let ethereum = read("jns-ethereum")
    static let proof = read("jns-proof")
    static let clique = read("jns-clique")

    private static func read(_ name: String) -> JSONVector {
        (try? JSONVector(file: name, in: .module)) ?? JSONVector(nil)
    }
}

extension JSONVector {
    var word: Word { Word(hex) ?? Word(hashing: Array("no word: \(text)".utf8)) }
    var address: Address { Address(hex: text) ?? .zero }
    /// A number as nodes write it.
    var quantity: UInt128 { HexText.word(text)?.wideInteger ?? .max }
    var byteStrings: [[UInt8]] { elements.map(\.hex) }
}

extension JSONValue {
    /// A vector's part as a value.
    init?(_ content: Any?) {
        guard let content, let data = try? JSONSerialization.data(withJSONObject: content) else { return nil }
        self.init(parsing: String(decoding: data, as: UTF8.self))
    }
}
