import Keys
import NameRegistry
import TestSupport
import Testing

@testable import NameServer

@Suite struct RequestTargetTests {
    private static let name = Name(canonical: "alice")

    @Test(arguments: [
        ("/", .page), ("/?x=1", .page), ("/healthz", .health), ("/metrics", .metrics), ("/v2/status", .status),
        ("/v2/status/", .status), ("/v2/name/ALICE", .currentName(name)), ("/v2/name/a", .currentName(nil)),
        ("/v2/name/alice/proof", .nameProof(name, block: nil)),
        ("/v2/name/alice/proof?block=12", .nameProof(name, block: 12)),
        ("/v2/name/alice/proof?block=", .malformedQuery), ("/v2/name/alice/proof?block=-1", .malformedQuery),
        ("/v2/name/alice/proof?block=99999999999999999999", .malformedQuery),
        ("/v2/addr/x/proof", .accountProof(nil, block: nil)), ("/v2/journal", .journal(from: 1, limit: 1_000)),
        ("/v2/journal?from=0&limit=0", .journal(from: 1, limit: 1)),
        ("/v2/journal?limit=1001&from=7", .journal(from: 7, limit: 1_000)),
        ("/v2/journal?from=18446744073709551615", .journal(from: .max, limit: 1_000)),
        ("/v2/journal?from=1x", .malformedQuery), ("/v2/commit", .commitment),
        ("/v2/name/alice/transfer", .ownerRequest(name, .transfer)),
        ("/v2/name/alice/release", .ownerRequest(name, .release)),
        ("/v2/name/alice/address", .ownerRequest(name, .address)), ("/v2", .unknown), ("/v2/", .unknown),
        ("/v2/name", .unknown), ("/v2/name/alice/else", .unknown), ("/v3/status", .unknown), ("", .unknown),
        ("*", .unknown), ("name/alice", .unknown), ("//name/alice", .unknown), ("/name", .unknown),
        ("/name/alice/owner/x", .unknown), ("/name/alice/Owner", .unknown), ("/NAME/alice", .unknown),
        ("http://x", .page), ("example.org:443", .unknown),
    ] as [(String, RequestTarget)])
    func `a target is what it says`(text: String, target: RequestTarget) {
        #expect(RequestTarget(text) == target)
    }

    @Test func `targets are read up to their limit`() {
        let long = "/" + String(repeating: "a", count: RequestTarget.maximumLength - 2)
        #expect(RequestTarget("/name/alice?" + String(repeating: "a", count: 1_000)) != .unknown)
        #expect(RequestTarget(long + "/name/alice") == .unknown)
        #expect(RequestTarget("/name/alice?" + String(repeating: "a", count: 100_000)) == .unknown)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading a target is total`(seed: UInt64) {
        var mutations = ByteMutations(seed: seed)
        let samples = ["/name/%61lice", "/addr/jami:0x00", "/v2/journal?from=1&limit=2", "/v2/name/x/proof?block=3"]
        for round in 0..<4_000 {
            let bytes = mutations.next(of: Array(samples[round % samples.count].utf8))
            let text = String(decoding: bytes, as: UTF8.self)
            if case .name(let name?, _, _) = RequestTarget(text) { #expect(Name(canonical: name.text) == name) }
        }
    }

    @Test func `escapes are decoded once, and only to ASCII`() {
        #expect(RequestTarget.decodedOnce("a%25b".utf8) == "a%b")
        #expect(RequestTarget.decodedOnce("%41%7a".utf8) == "Az")
        for text in ["%", "%4", "%4g", "%C3%A9", "é", "%-1", "%+1", "% 1"] {
            #expect(RequestTarget.decodedOnce(text.utf8) == nil, "\(text)")
        }
    }
}

@Suite struct PageTextTests {
    @Test func `a JSON text keeps order and escapes what needs it`() {
        let text = JSONText.object {
            $0.add("b", "a\"\\\n\u{1}\u{7f}é")
            $0.add("a", 18_446_744_073_709_551_615 as UInt64)
            $0.add("c", true)
            $0.addNull("d")
        }
        let expected = #"{"b":"a\"\\\n\u0001\u007fé","a":18446744073709551615,"c":true,"d":null}"#
        #expect(String(decoding: text.bytes, as: UTF8.self) == expected)
        #expect(String(decoding: JSONText.object { _ in }.bytes, as: UTF8.self) == "{}")
    }

    @Test func `markup in a text of others stays text`() {
        #expect(HTMLText.escaped(#"<a href="x">'&'</a>"#) == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;")
    }

    @Test func `the page for a person has no script, names no secrets and says how it is`() async throws {
        try await TestServer.run { server in
            #expect(try await server.post(Person.ana, "alice").status == 200)
            let page = try await server.get("/")
            #expect(page.status == 200)
            #expect(page.header("Content-Type") == "text/html; charset=utf-8")
            #expect(page.header("Content-Security-Policy")?.contains("default-src 'none'") == true)
            #expect(!page.body.contains("<script"))
            #expect(page.body.contains("Everything works."))
            #expect(page.body.contains("<td>1</td>"))
        }
    }

    @Test func `metrics are lines of Prometheus`() async throws {
        try await TestServer.run { server in
            #expect(try await server.post(Person.ana, "alice").status == 200)
            let metrics = try await server.get("/metrics")
            #expect(metrics.header("Content-Type")?.hasPrefix("text/plain; version=0.0.4") == true)
            for line in metrics.body.split(separator: "\n") where !line.hasPrefix("#") {
                #expect(line.wholeMatch(of: /apus_names_[a-z_]+(\{[a-z]+="[a-z-]+"\})? [0-9]+/) != nil, "\(line)")
            }
            #expect(metrics.body.contains("apus_names_names 1\n"))
            #expect(metrics.body.contains("apus_names_registrations_total{result=\"acknowledged\"} 1\n"))
        }
    }
}
