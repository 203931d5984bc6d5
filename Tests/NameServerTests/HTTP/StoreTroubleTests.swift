import Runtime
import TestSupport
import Testing

@testable import NameServer

/// Whatever the store does, a client gets an answer.
@Suite struct StoreTroubleTests {
    private static let targets = [
        "/name/alice", "/name/alice/owner", "/addr/00000000000000000000000000000000000000aa", "/v2/name/alice",
        "/v2/journal", "/healthz",
    ]

    @Test(arguments: [
        NameStoreError.notWritable(reason: "no space"), .unavailable(reason: "busy"), .damaged(reason: "torn"), .closed,
    ])
    func `a store that fails gives 503, without its secrets`(error: NameStoreError) async throws {
        try await TestServer.run(wrapping: { TroubledStore($0, .fails(error)) }) { server in
            for target in Self.targets {
                let answer = try await server.get(target)
                #expect(answer.status == 503, "\(target)")
                #expect(answer.header("Retry-After") != nil, "\(target)")
                #expect(!answer.body.contains("no space"), "\(target)")
            }
            let refused = try await server.post(Person.ana, "alice")
            #expect(refused.status == 503)
            #expect(refused.header("Retry-After") != nil)
            #expect(refused.body.hasPrefix(#"{"success":false,"error":"#))
            #expect(try await server.get("/").status == 200)
            #expect(try await server.get("/metrics").body.contains("apus_names_healthy 0"))
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `a store that hangs gives 503 in time, and answers again afterwards`() async throws {
        var listener = NameServerListener()
        listener.answerPatience = .milliseconds(500)
        listener.registrationPatience = .milliseconds(500)
        try await TestServer.run(listener: listener, wrapping: { TroubledStore($0, .hangs) }) { server in
            let store = try #require(server.store as? TroubledStore)
            for target in Self.targets {
                let answer = try await server.get(target)
                #expect(answer.status == 503, "\(target)")
                #expect(answer.header("Retry-After") != nil, "\(target)")
            }
            #expect(try await server.post(Person.ana, "alice").status == 503)
            store.end()
            #expect(try await server.post(Person.ana, "alice").status == 200)
            #expect(try await server.get("/name/alice").status == 200)
        }
    }

    @Test func `more look-ups than may run are refused at once while the store hangs`() async throws {
        var options = TestServer.unlimited
        options.maximumRequests = 2
        try await TestServer.run(options: options, wrapping: { TroubledStore($0, .hangs) }) { server in
            let store = try #require(server.store as? TroubledStore)
            var waiting: [RawConnection] = []
            for _ in 0..<2 {
                let connection = try await RawConnection.open(to: server.port)
                connection.send("GET /name/alice HTTP/1.1\r\n\r\n")
                waiting.append(connection)
            }
            try await eventually(within: .seconds(20), every: .milliseconds(10), "both wait") {
                store.waitingCount == 2 ? () : nil
            }
            #expect(try await server.get("/name/alice").status == 503)
            store.end()
            for connection in waiting {
                #expect(await connection.response()?.status == 404)
                await connection.close()
            }
        }
    }

    @Test func `a slow store only makes answers slow`() async throws {
        try await TestServer.run(wrapping: { TroubledStore($0, .slow(.milliseconds(200))) }) { server in
            let registered = try await server.post(Person.ana, "alice")
            let found = try await server.get("/name/alice")
            #expect(registered.status == 200)
            #expect(found.status == 200)
        }
    }
}
