import Foundation
import NIOCore
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import NameServer

/// Clients that are slow, huge, broken or many.
@Suite struct SlowClientTests {
    /// A listener that is impatient in one way, so that a busy machine is not taken for a slow client in others.
    private static func listener(_ change: (inout NameServerListener) -> Void) -> NameServerListener {
        var listener = NameServerListener()
        change(&listener)
        return listener
    }

    @Test(arguments: ["", "G", "GET /name/al", "GET /name/alice HTTP/1.1\r\nHost: x\r\nX: ", "\r\n\r\n"])
    func `a request that does not come is not waited for`(begin: String) async throws {
        try await TestServer.run(listener: Self.listener { $0.headerPatience = .seconds(2) }) { server in
            let connection = try await RawConnection.open(to: server.port)
            if !begin.isEmpty { connection.send(begin) }
            #expect(await connection.isClosed(within: .seconds(60)))
            let other = try await server.get("/name/alice")
            #expect(other.status == 404)
        }
    }

    @Test func `a client that sends a header byte by byte is cut off`() async throws {
        try await TestServer.run(listener: Self.listener { $0.headerPatience = .milliseconds(500) }) { server in
            let connection = try await RawConnection.open(to: server.port)
            connection.send("GET /name/alice HTTP/1.1\r\nX: ")
            let dripping = Task {
                while !Task.isCancelled {
                    connection.send("a")
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            #expect(await connection.isClosed(within: .seconds(60)))
            dripping.cancel()
        }
    }

    @Test func `a body that does not come is answered and the connection ends`() async throws {
        try await TestServer.run(listener: Self.listener { $0.bodyPatience = .milliseconds(500) }) { server in
            let connection = try await RawConnection.open(to: server.port)
            connection.send("POST /name/alice HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"addr\":")
            let answer = await connection.response()
            #expect(answer?.status == 400)
            #expect(answer?.body == #"{"success":false,"error":"invalid request"}"#)
            #expect(await connection.isClosed(within: .seconds(60)))
        }
    }

    @Test func `a client that never reads is cut off and costs little memory`() async throws {
        try await TestServer.run(listener: Self.listener { $0.readingPatience = .milliseconds(500) }) { server in
            #expect(try await server.post(Person.ana, "alice").status == 200)
            let connection = try await RawConnection.open(to: server.port, reads: false)
            let request = "GET /name/alice HTTP/1.1\r\nHost: x\r\n\r\n"
            connection.send(String(repeating: request, count: 30_000))
            try await eventually(within: .seconds(30), every: .milliseconds(50), "the client is cut off") {
                server.service.counters.slowConnections.load(ordering: .relaxed) > 0 ? () : nil
            }
            await connection.close()
            #expect(try await server.get("/name/alice").status == 200)
        }
    }

    @Test(arguments: [
        "Content-Length: 16385", "Content-Length: 99999999999999999999", "Content-Length: 10000000000",
        "Transfer-Encoding: chunked",
    ])
    func `a huge body is refused before it is read`(header: String) async throws {
        try await TestServer.run { server in
            let connection = try await RawConnection.open(to: server.port)
            connection.send("POST /name/alice HTTP/1.1\r\nHost: x\r\n\(header)\r\n\r\n")
            if header.hasSuffix("chunked") {
                for _ in 0..<20 { connection.send("400\r\n" + String(repeating: " ", count: 1_024) + "\r\n") }
            }
            let answer = await connection.response()
            #expect(answer?.status == 400)
            #expect(answer?.header("Connection") == "close")
            connection.send([UInt8](repeating: 0x20, count: 100_000))
            #expect(await connection.isClosed(within: .seconds(60)))
        }
    }

    @Test func `a body is read up to its limit`() async throws {
        try await TestServer.run { server in
            let body = try Person.ana.body(for: "alice")
            let limit = NameServerListener.maximumBodySize
            let full = body + String(repeating: " ", count: limit - body.utf8.count)
            #expect(try await server.post("/name/alice", full).status == 200)
            #expect(try await server.post("/name/alice", full + " ").status == 400)
        }
    }

    @Test func `a chunked body and one behind Expect are read`() async throws {
        try await TestServer.run { server in
            let body = try Person.ana.body(for: "alice")
            let half = body.utf8.count / 2
            let first = String(body.prefix(half))
            let second = String(body.dropFirst(half))
            let chunked =
                "POST /name/alice HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                + "\(String(first.utf8.count, radix: 16))\r\n\(first)\r\n"
                + "\(String(second.utf8.count, radix: 16))\r\n\(second)\r\n0\r\n\r\n"
            #expect(try await server.exchange(chunked).status == 200)

            let connection = try await RawConnection.open(to: server.port)
            connection.send(
                "POST /name/alice HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            )
            #expect(await connection.response()?.status == 100)
            connection.send(body)
            #expect(await connection.response()?.status == 200)
            await connection.close()
        }
    }

    @Test func `requests in a row on one connection are answered in order`() async throws {
        try await TestServer.run { server in
            #expect(try await server.post(Person.ana, "alice").status == 200)
            let connection = try await RawConnection.open(to: server.port)
            let body = try Person.ben.body(for: "bobby")
            let targets = ["/name/alice", "/unknown", "/name/x", "/", "/addr/\(Person.ana.address)", "/v2/status"]
            var text = targets.map { "GET \($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined()
            text += "POST /name/bobby HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            text += "GET /name/bobby/owner HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            connection.send(text)
            var statuses: [Int] = []
            for _ in 0..<8 { statuses.append(await connection.response()?.status ?? 0) }
            #expect(statuses == [200, 404, 400, 200, 200, 200, 200, 200])
            #expect(await connection.isClosed(within: .seconds(60)))
        }
    }

    @Test func `thousands of requests in a row that need no store are answered`() async throws {
        try await TestServer.run { server in
            let connection = try await RawConnection.open(to: server.port)
            connection.send(String(repeating: "GET /x HTTP/1.1\r\n\r\n", count: 5_000))
            var count = 0
            while count < 5_000, await connection.response()?.status == 404 { count += 1 }
            #expect(count == 5_000)
            await connection.close()
        }
    }

    @Test(arguments: [
        "\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET /name/alice\r\n\r\n", "GET /name/alice HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}", "GET / HTTP/1.1\r\nA B: c\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n",
    ])
    func `what is no HTTP is refused, also behind a good request`(garbage: String) async throws {
        try await TestServer.run { server in
            let connection = try await RawConnection.open(to: server.port)
            connection.send("GET /name/alice HTTP/1.1\r\nHost: x\r\n\r\n" + garbage)
            connection.endOutput()
            #expect(await connection.response()?.status == 404)
            let refusal = await connection.response()
            #expect(refusal == nil || refusal?.status == 400)
            #expect(await connection.isClosed(within: .seconds(60)))
            #expect(try await server.get("/name/alice").status == 404)
        }
    }

    @Test func `headers beyond the limits are refused`() async throws {
        try await TestServer.run { server in
            let long = "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 40_000) + "\r\n\r\n"
            let many = "GET / HTTP/1.1\r\n" + String(repeating: "X: a\r\n", count: 200) + "\r\n"
            let target = "GET /name/" + String(repeating: "a", count: 4_000) + " HTTP/1.1\r\nHost: x\r\n\r\n"
            var statuses: [Int] = []
            for request in [long, many, target] { statuses.append(try await server.exchange(request).status) }
            #expect(statuses == [431, 431, 404])
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `random bytes and damaged requests stop nothing`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        var mutations = ByteMutations(seed: seed)
        let samples = [
            "GET /name/alice HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "POST /name/alice HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{\"addr\":\"00\",\"b\":{}}",
            "POST /v2/commit HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}{}\r\n0\r\n\r\n",
        ]
        try await TestServer.run { server in
            for round in 0..<60 {
                let connection = try await RawConnection.open(to: server.port)
                if round.isMultiple(of: 3) {
                    connection.send(random.bytes(Int.random(in: 1...400, using: &random)))
                } else {
                    connection.send(mutations.next(of: Array(samples[round % samples.count].utf8)))
                }
                connection.endOutput()
                #expect(await connection.isClosed(within: .seconds(60)), "seed \(seed), round \(round)")
            }
            #expect(try await server.get("/name/alice").status == 404)
        }
    }

    @Test func `idle connections make room for those who ask`() async throws {
        var listener = NameServerListener()
        listener.maximumConnections = 64 * 4
        try await TestServer.run(listener: listener) { server in
            var idle: [RawConnection] = []
            for _ in 0..<600 { idle.append(try await RawConnection.open(to: server.port)) }
            for _ in 0..<20 { #expect(try await server.get("/name/alice").status == 404) }
            #expect(server.service.counters.openConnections.load(ordering: .relaxed) <= listener.maximumConnections)
            for connection in idle { await connection.close() }
        }
    }

    @Test func `a server that stops answers what it has begun`() async throws {
        try await TestServer.run(trouble: .slow(.milliseconds(3_000))) { server in
            let busy = try await RawConnection.open(to: server.port)
            let idle = try await RawConnection.open(to: server.port)
            busy.send("GET /name/alice HTTP/1.1\r\nHost: x\r\n\r\n")
            try await eventually(within: .seconds(60), every: .milliseconds(5), "the request has begun") {
                server.service.requests.count > 0 ? () : nil
            }
            let stopping = Task { await server.http.stop() }
            let answer = await busy.response()
            #expect(answer?.status == 404)
            #expect(answer?.header("Connection") == "close")
            #expect(await busy.isClosed(within: .seconds(60)))
            #expect(await idle.isClosed(within: .seconds(60)))
            await stopping.value
        }
    }
}
