import Foundation
import JSON
import Logging
import NIOPosix
import Testing

@testable import ControlAPI

@Suite(.timeLimit(.minutes(1))) struct ControlServerTests {
    private func withServer(
        answering handler: @escaping ControlServer.Handler,
        _ body: (String, ControlClient) async throws -> Void
    ) async throws {
        let path = "/tmp/apus-test-\(UUID().uuidString.prefix(8)).sock"
        let server = ControlServer(
            path: path,
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test"),
            handler: handler
        )
        try await server.start()
        do {
            try await body(path, ControlClient(path: path))
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    @Test func `a call is answered with its result`() async throws {
        let echo: ControlServer.Handler = { request, _ in .string(request.method) }
        try await withServer(answering: echo) { _, client in
            let result = try await client.call("echo.me")
            #expect(result == .string("echo.me"))
        }
    }

    @Test func `a refusal reaches the client with its name`() async throws {
        let refusal = RPCError(code: .application, message: "There is none.", name: "contactNotFound")
        let refuse: ControlServer.Handler = { _, _ in throw refusal }
        try await withServer(answering: refuse) { _, client in
            await #expect(throws: refusal) { try await client.call("anything") }
        }
    }

    @Test func `notifications come in order and the stream ends when the client has enough`() async throws {
        let tell: ControlServer.Handler = { _, peer in
            for number in 1...5 { try await peer.notify("event", .object(["sequence": .integer(Int64(number))])) }
            try await Task.sleep(for: .seconds(30))
            return .null
        }
        try await withServer(answering: tell) { _, client in
            let seen = Collected()
            try await client.stream("events.subscribe", .object([:])) { params in
                await seen.append(params["sequence"]?.integer ?? 0)
                return await seen.values.count < 5
            }
            #expect(await seen.values == [1, 2, 3, 4, 5])
        }
    }

    @Test func `only the user may open the socket`() async throws {
        let nothing: ControlServer.Handler = { _, _ in .null }
        try await withServer(answering: nothing) { path, _ in
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
    }

    @Test func `without a daemon the client says so`() async {
        await #expect(throws: ControlClient.NotRunning.self) {
            try await ControlClient(path: "/tmp/apus-no-such.sock").call("daemon.hello")
        }
    }
}

private actor Collected {
    var values: [Int64] = []

    func append(_ value: Int64) {
        values.append(value)
    }
}
