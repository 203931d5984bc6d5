import Testing

@testable import DHT

@Suite struct EndpointTests {
    private static let table: [([UInt16], String)] = [
        ([0, 0, 0, 0, 0, 0, 0, 1], "::1"), ([0, 0, 0, 0, 0, 0, 0, 0], "::"),
        ([0xFD77, 0, 0, 0, 0, 0, 0, 2], "fd77::2"), ([0x2001, 0xDB8, 0, 1, 1, 1, 1, 1], "2001:db8:0:1:1:1:1:1"),
        ([0x2001, 0xDB8, 0, 0, 1, 0, 0, 1], "2001:db8::1:0:0:1"), ([0x2001, 0, 0, 1, 0, 0, 0, 1], "2001:0:0:1::1"),
        ([1, 2, 3, 4, 5, 6, 7, 0], "1:2:3:4:5:6:7:0"), ([1, 0, 0, 0, 0, 0, 0, 0], "1::"),
        ([1, 2, 3, 4, 5, 6, 7, 8], "1:2:3:4:5:6:7:8"),
    ]

    @Test(arguments: table) func `IPv6 addresses are written as usual`(groups: [UInt16], text: String) {
        let words = stride(from: 0, to: 8, by: 4).map { start in
            groups[start..<start + 4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        }
        let endpoint = Endpoint(ipv6: words[0], words[1], port: 4222)
        #expect(endpoint.addressText == text)
        #expect("\(endpoint)" == "[\(text)]:4222")
    }
}
