import TestSupport
import Testing

@testable import Names

@Suite(.timeLimit(.minutes(1))) struct HTTPNameServerTransportTests {
    private func ask(
        _ answer: ScriptedHTTPServer.Answer,
        limit: Duration = .seconds(20)
    ) async throws -> Result<NameServerReply, NameServerFault> {
        let http = try await ScriptedHTTPServer.start { _ in answer }
        let address = try server(http.url)
        let result: Result<NameServerReply, NameServerFault>
        do throws(NameServerFault) {
            let request = NameServerRequest.get("/name/alice", limit: limit)
            result = .success(try await HTTPNameServerTransport().send(request, to: address))
        } catch {
            result = .failure(error)
        }
        await http.stop()
        return result
    }

    @Test func `an answer comes with its status and when to ask again`() async throws {
        let reply = try await ask(.json("{}", status: 503, headers: ["Retry-After": "7"])).get()
        #expect(reply == NameServerReply(status: 503, retryAfterSeconds: 7, body: Array("{}".utf8)))
        let odd = try await ask(.json("{}", status: 503, headers: ["Retry-After": "-5"])).get()
        #expect(odd.retryAfterSeconds == 0)
        let date = try await ask(.json("{}", status: 503, headers: ["Retry-After": "Fri, 31 Dec 1999"])).get()
        #expect(date.retryAfterSeconds == nil)
    }

    @Test(arguments: [(65_536, true), (65_537, false), (1 << 20, false)])
    func `an answer of 64 KiB is taken and a longer one is not`(size: Int, isTaken: Bool) async throws {
        let result = try await ask(.reply(body: Array(repeating: 0x20, count: size)))
        if isTaken {
            #expect(try result.get().body.count == size)
        } else {
            #expect(result == .failure(.oversized(limit: 65_536)))
        }
    }

    @Test(arguments: ["silence", "stall"])
    func `a server that does not answer, or not to the end, is given up`(how: String) async throws {
        let answer = how == "silence" ? ScriptedHTTPServer.Answer.silence : .stall(body: [0x7B])
        let result = try await ask(answer, limit: .seconds(1))
        #expect(result == .failure(.timedOut(seconds: 1)))
    }

    @Test func `a server that hangs up, or is not there, cannot be reached`() async throws {
        guard case .failure(.unreachable) = try await ask(.hangUp) else {
            Issue.record("a hang-up is no answer")
            return
        }
        let http = try await ScriptedHTTPServer.start { _ in .hangUp }
        let address = try server(http.url)
        await http.stop()
        let request = NameServerRequest.get("/name/alice", limit: .seconds(20))
        let fault = await #expect(throws: NameServerFault.self) {
            try await HTTPNameServerTransport().send(request, to: address)
        }
        #expect(fault?.code == "unreachable")
    }

    @Test func `redirections are not followed`() async throws {
        let reply = try await ask(.json("", status: 302, headers: ["Location": "http://127.0.0.1:1/"])).get()
        #expect(reply.status == 302)
    }

    @Test func `a question that nobody waits for is given up`() async throws {
        let http = try await ScriptedHTTPServer.start { _ in .silence }
        let address = try server(http.url)
        let task = Task {
            try await HTTPNameServerTransport().send(.get("/name/alice", limit: .seconds(60)), to: address)
        }
        _ = await http.requests.first(within: .seconds(20))
        task.cancel()
        await #expect(throws: NameServerFault.cancelled) { try await task.value }
        await http.stop()
    }
}
