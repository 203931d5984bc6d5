import Foundation
import Keys
import TestSupport

@testable import DHT

enum Vectors {
    static func load(_ name: String) throws -> JSONVector {
        try JSONVector(file: name, in: .module)
    }

    static func packets() throws -> [JSONVector] {
        try load("opendht-packets")["packets"].elements.filter { !$0["name"].text.hasPrefix("discovery") }
    }
}

extension Packet {
    init(_ bytes: [UInt8]) throws(WireError) {
        try self.init(decoding: bytes.span.bytes)
    }
}

extension Array where Element == UInt8 {
    func infoHash() -> InfoHash { InfoHash(self) ?? .zero }
}
