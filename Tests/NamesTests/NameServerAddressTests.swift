import Keys
import NameRegistry
import Names
import Testing

@Suite struct NameServerAddressTests {
    @Test(arguments: [
        ("ns.jami.net", "https://ns.jami.net"),
        ("https://ns.jami.net/", "https://ns.jami.net"),
        ("HTTPS://NS.Jami.Net", "https://ns.jami.net"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (" names.example/api/ns// ", "https://names.example/api/ns"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://[::1]", "http://[::1]"),
        ("localhost:1412", "https://localhost:1412"),
    ])
    func `an address has a scheme, small letters and no slash at the end`(given: String, expected: String) {
        #expect(NameServerAddress(given)?.text == expected)
    }

    @Test(arguments: [
        "", "/", "https://", "https:///x", "ftp://host", "http://:80", "http://host:port", "http://host:99999",
        "http://a b", "http://user@host", "http://host/?q", "http://host/#f", "http://h\u{0}st", "http://höst", "://x",
        "http://" + String(repeating: "a", count: 255),
    ])
    func `what is no address is refused`(text: String) {
        #expect(NameServerAddress(text) == nil)
    }

    @Test func `the standard server is a good address`() {
        #expect(NameServerAddress(NameServerAddress.standard.text) == .standard)
        #expect(NameServerAddress.standard.authority == "ns.jami.net")
        #expect(NameServerAddress("http://127.0.0.1:80/x")?.authority == "127.0.0.1:80")
    }
}

@Suite struct NameQueryTests {
    @Test(
        arguments: [
            ("alice", "alice", nil),
            ("Alice_One-9", "alice_one-9", nil),
            ("jami:bobx", "bobx", nil),
            ("ring://bobx", "bobx", nil),
            ("bob@127.0.0.1:1412", "bob", "https://127.0.0.1:1412"),
            ("http://bob@127.0.0.1:1412", "bob", "https://127.0.0.1:1412"),
            ("bob@http://127.0.0.1:1412", "bob", "http://127.0.0.1:1412"),
        ] as [(String, String, String?)]
    )
    func `a name may say its server`(text: String, expected: String, host: String?) throws {
        let query = try NameQuery(text)
        #expect(query.subject == .name(try name(expected)))
        #expect(query.server?.text == host)
    }

    @Test(arguments: ["", "jami:", "ring:ring://"])
    func `an identifier is one, whatever stands in front`(prefix: String) throws {
        let digits = "50AE26586f6f3e242166ba49c41d08d2bd79f035"
        let query = try? NameQuery(prefix + digits)
        #expect(query?.subject == InfoHash(hex: digits).map { .account($0) } || prefix == "ring:ring://")
    }

    @Test(arguments: ["", "ab", "héllo", "a b", "x@y@z", "name/../addr", String(repeating: "a", count: 33), "a%20b"])
    func `what is no name asks nobody`(text: String) {
        #expect(throws: NameQueryError.self) { try NameQuery(text) }
    }

    @Test func `a bad server is named`() {
        #expect(throws: NameQueryError.notAServer("ftp://x")) { try NameQuery("bob@ftp://x") }
    }
}
