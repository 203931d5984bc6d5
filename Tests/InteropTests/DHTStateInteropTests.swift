import DHT
import Foundation
import Keys
import Runtime
import TestSupport
import Testing

@Suite(.enabled(if: DHTNodeProgram.path != nil, "dhtnode is not installed"), .timeLimit(.minutes(3)))
struct DHTStateInteropTests {
    private let key = InfoHash(hashing: "kept")

    private func text(_ opened: OpenedValue) -> String {
        String(decoding: opened.value.data, as: UTF8.self)
    }

    @Test func `the state of a real node is ours, with its values and its way into the network`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/state"
        let third = try await DHTNodeProgram.start()
        defer { third.program.stop() }
        let peer = try await DHTNodeProgram.start(bootstrap: third.port, state: path)
        defer { peer.program.stop() }
        try peer.program.send("p kept in-their-state")
        _ = try await peer.program.line { $0.contains("Put: success") }
        try await peer.quit()
        third.program.stop()

        let saved = try NodeState(decoding: Array(try Data(contentsOf: URL(filePath: path))))
        #expect(saved.values.map(\.key) == [key])
        #expect(saved.contacts.map(\.endpoint.port) == [UInt16(third.port)])
        // The way into the network first: the third node comes back where it was.
        let again = try await DHTNodeProgram.start(port: third.port)
        defer { again.program.stop() }
        let node = try await DHTTestNode.start(bootstrap: nil, savedState: saved)
        await DHTTestNode.isConnected(node)
        #expect(await node.id == saved.id)
        #expect(try await node.get(key).map(text) == ["in-their-state"])
        // Then the values: others get them from us.
        try again.program.send("g kept")
        _ = try await again.program.line { $0.contains("in-their-state") }
        await node.shutdown()
    }

    @Test func `our state is that of a real node, with its values and its way into the network`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/state"
        let third = try await DHTTestNode.start(bootstrap: nil)
        let node = try await DHTTestNode.start(bootstrap: await third.boundPort)
        try await node.put(Value(data: Array("in-our-state".utf8), userType: "text/plain"), at: key, permanent: true)
        let state = await node.export()
        #expect(state.contacts.count == 1 && state.values.map(\.key) == [key])
        await node.shutdown()
        // The other copy goes with the third node, which comes back empty.
        let port = await third.boundPort
        await third.shutdown()
        let empty = try await DHTTestNode.start(bootstrap: nil, port: port)

        // Version 2 reads times of the monotonic clock only.
        let time = SystemTime()
        let bytes = state.encodedInOldForm(now: time.now, wallTime: time.wallTime)
        try Data(bytes).write(to: URL(filePath: path))
        let peer = try await DHTNodeProgram.start(state: path)
        defer { peer.program.stop() }
        await DHTTestNode.isConnected(empty)
        #expect(try await empty.get(key).map(text) == ["in-our-state"])
        // What it writes in turn is ours again.
        try await peer.quit()
        let back = try NodeState(decoding: Array(try Data(contentsOf: URL(filePath: path))))
        #expect(back.id == state.id && back.values.map(\.value) == state.values.map(\.value))
        await empty.shutdown()
    }

    @Test func `a node of version 2 takes the nodes of our newer form`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/state"
        let node = try await DHTTestNode.start(bootstrap: nil)
        let contact = NodeState.Contact(
            id: await node.id,
            endpoint: Endpoint(ipv4: 0x7F00_0001, port: UInt16(await node.boundPort))
        )
        let value = StoredValue(key: key, value: Value(id: 1), created: .wallTime(SystemTime().wallTime))
        let state = NodeState(id: InfoHash(hashing: "their id"), contacts: [contact], values: [value])
        try Data(state.encoded).write(to: URL(filePath: path))
        let peer = try await DHTNodeProgram.start(state: path)
        defer { peer.program.stop() }
        await DHTTestNode.isConnected(node)
        #expect(await node.export().contacts.map(\.id) == [state.id])
        await node.shutdown()
    }
}
