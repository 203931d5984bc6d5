import NIOCore
import Runtime
import TestSupport
import Testing

@testable import NameServer

@Suite struct TokenBucketTests {
    private func instant(_ seconds: Double) -> Instant { Instant() + .seconds(seconds) }

    @Test func `a burst is admitted, then as many as the rate allows`() {
        var buckets = TokenBuckets<Int>(rate: .init(perSecond: 2, burst: 4), capacity: 8)
        let burst = (0..<6).map { _ in buckets.take(for: 1, at: instant(0)) }
        #expect(burst == [nil, nil, nil, nil, .seconds(0.5), .seconds(0.5)])
        let later = [0.5, 0.6, 1.0, 100, 100, 100, 100, 100].map { buckets.take(for: 1, at: instant($0)) == nil }
        #expect(later == [true, false, true, true, true, true, true, false])
        #expect(buckets.take(for: 2, at: instant(0)) == nil)
    }

    @Test func `a clock that goes back gives nothing away`() {
        var buckets = TokenBuckets<Int>(rate: .init(perSecond: 1, burst: 1), capacity: 8)
        let answers = [10.0, 5, 5.5, 6.1].map { buckets.take(for: 1, at: instant($0)) == nil }
        #expect(answers == [true, false, false, true])
    }

    @Test func `no flood of clients makes the table grow, and who was seen lately is remembered`() {
        var buckets = TokenBuckets<Int>(rate: .init(perSecond: 0.001, burst: 1), capacity: 100)
        _ = buckets.take(for: -1, at: instant(0))
        var isRemembered = true
        for client in 0..<100_000 {
            _ = buckets.take(for: client, at: instant(0))
            if client % 50 == 0, buckets.take(for: -1, at: instant(0)) == nil { isRemembered = false }
            if buckets.count > 200 { break }
        }
        #expect(isRemembered)
        #expect(buckets.count <= 200)
    }

    @Test func `a rate of zero is no limit`() {
        var buckets = TokenBuckets<Int>(rate: .init(perSecond: 0, burst: 0), capacity: 1)
        let isFree = (0..<1_000).allSatisfy { buckets.take(for: $0, at: instant(0)) == nil }
        #expect(isFree)
        #expect(buckets.count == 0)
    }
}

@Suite struct ClientKeyTests {
    @Test func `an IPv6 client is its network of 64 bits, an IPv4 client its address`() throws {
        func key(_ text: String) throws -> ClientKey { try #require(ClientKey(text: text)) }
        let (network, host) = (try key("2001:db8::1"), try key("192.0.2.1"))
        #expect(try key("2001:db8:0:0:ffff::2") == network)
        #expect(try key("2001:db8:0:1::1") != network)
        #expect(try key("192.0.2.2") != host)
        #expect(try key("::ffff:192.0.2.1") == host)
        let address = try SocketAddress(ipAddress: "192.0.2.1", port: 9)
        #expect(ClientKey(address) == host)
        for text in ["", "x", "1.2.3", "1.2.3.4.5", "::g", "[::1]", "example.org", " 1.2.3.4"] {
            #expect(ClientKey(text: text) == nil, "\(text)")
        }
    }

    @Test func `only private addresses are proxies`() throws {
        for text in ["127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.9.9", "192.168.1.1", "::1", "fd00::1", "fe80::1"] {
            #expect(ClientKey(text: text)?.isPrivate == true, "\(text)")
        }
        for text in ["192.0.2.1", "172.32.0.1", "11.0.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            #expect(ClientKey(text: text)?.isPrivate == false, "\(text)")
        }
    }

    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("5.6.7.8, 1.2.3.4", "1.2.3.4"), ("x,2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"), ("garbage", "127.0.0.1"), ("", "127.0.0.1"), (",", "127.0.0.1"),
        ("1.2.3.4,  ", "127.0.0.1"),
    ])
    func `the nearest proxy tells who the client is`(header: String, client: String) throws {
        let peer = try #require(ClientKey(text: "127.0.0.1"))
        #expect(ForwardedFor.client(header: header, peer: peer) == ClientKey(text: client))
        let stranger = try #require(ClientKey(text: "192.0.2.7"))
        #expect(ForwardedFor.client(header: header, peer: stranger) == stranger)
    }
}

@Suite struct RateLimitTests {
    @Test func `throttled look-ups and registrations are 503 with a time, never 4xx`() async throws {
        var options = NameServerOptions()
        options.lookUpsPerSecond = 0.01
        options.lookUpBurst = 3
        options.registrationsPerMinute = 0.01
        options.registrationBurst = 1
        try await TestServer.run(options: options) { server in
            #expect(try await server.post(Person.ana, "alice").status == 200)
            let refused = try await server.post(Person.ben, "bobby")
            #expect(refused.status == 503)
            #expect(refused.header("Retry-After").flatMap { Int($0) } ?? 0 > 0)
            #expect(refused.body.hasPrefix(#"{"success":false,"error":"too many requests"#))
            for _ in 0..<3 { #expect(try await server.get("/name/alice").status == 200) }
            for target in ["/name/alice", "/addr/\(Person.ana.address)"] {
                let late = try await server.get(target)
                #expect(late.status == 503)
                #expect(late.header("Retry-After") != nil)
            }
            #expect(try await server.get("/v2/status").status == 429)
        }
    }

    @Test func `behind a proxy each client has a bucket of its own, and otherwise headers are ignored`() async throws {
        for trusts in [true, false] {
            var options = NameServerOptions()
            options.lookUpsPerSecond = 0.01
            options.lookUpBurst = 1
            options.trustsProxy = trusts
            try await TestServer.run(options: options) { server in
                var statuses: [Int] = []
                for client in ["1.2.3.4", "1.2.3.4", "1.2.3.5", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::2"] {
                    statuses.append(try await server.get("/name/alice", headers: "X-Forwarded-For: \(client)\r\n").status)
                }
                #expect(statuses == (trusts ? [404, 503, 404, 404, 503, 404] : [404, 503, 503, 503, 503, 503]))
            }
        }
    }

    @Test func `more registrations than may wait are refused with 503`() async throws {
        var options = TestServer.unlimited
        options.maximumRegistrations = 4
        try await TestServer.run(options: options, wrapping: { TroubledStore($0, .hangs) }) { server in
            let store = try #require(server.store as? TroubledStore)
            let body = try Person.ana.body(for: "alice")
            var waiting: [RawConnection] = []
            for _ in 0..<4 {
                let connection = try await RawConnection.open(to: server.port)
                connection.send("POST /name/alice HTTP/1.1\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
                waiting.append(connection)
            }
            try await eventually(within: .seconds(20), every: .milliseconds(10), "all wait") {
                store.waitingCount == 4 ? () : nil
            }
            let refused = try await server.post("/name/alice", body)
            #expect(refused.status == 503)
            #expect(refused.header("Retry-After") != nil)
            store.end()
            for connection in waiting {
                #expect(await connection.response()?.status == 200)
                await connection.close()
            }
        }
    }
}
