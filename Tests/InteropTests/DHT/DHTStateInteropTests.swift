import DHT
import DHTTestSupport
import Foundation
import Keys
import Runtime
import TestSupport
import Testing

extension InteropTests {
    @Suite(.enabled(if: DHTShell.isInstalled, "dhtnode is not installed"), .timeLimit(.minutes(3)))
    struct DHTStateInteropTests {
        private let key = InfoHash(hashing: "kept")

        private func text(_ opened: OpenedValue) -> String {
            String(decoding: opened.value.data, as: UTF8.self)
        }

        @Test func `the state of a real node is ours, with its values and its way into the network`() async throws {
            let folder = try TemporaryFolder()
            let path = folder.path + "/state"
            let third = try await DHTShell.start()
            let peer = try await DHTShell.start(bootstrap: "127.0.0.1:\(third.port)", state: path)
            try await peer.type("p kept in-their-state", until: "Put: success")
            await peer.quit()
            await third.stop()

            let saved = try NodeState(decoding: Array(try Data(contentsOf: URL(filePath: path))))
            #expect(saved.values.map(\.key) == [key])
            #expect(saved.contacts.map(\.endpoint.port) == [UInt16(third.port)])
            // The way into the network first: the third node comes back where it was.
            let again = try await DHTShell.start(port: third.port)
            let node = try await TestNodes.start(TestNodes.configuration(state: saved))
            await TestNodes.isConnected(node)
            #expect(await node.id == saved.id)
            #expect(try await node.get(key).map(text) == ["in-their-state"])
            // Then the values: others get them from us.
            try await again.type("g kept", until: "in-their-state")
            await node.shutdown()
        }

        @Test func `our state is that of a real node, with its values and its way into the network`() async throws {
            let folder = try TemporaryFolder()
            let path = folder.path + "/state"
            let third = try await TestNodes.start(TestNodes.configuration())
            let node = try await TestNodes.start(TestNodes.configuration(bootstrap: [await third.boundPort]))
            try await node.put(
                Value(data: Array("in-our-state".utf8), userType: "text/plain"),
                at: key,
                permanent: true
            )
            let state = await node.export()
            #expect(state.contacts.count == 1 && state.values.map(\.key) == [key])
            await node.shutdown()
            // The other copy goes with the third node, which comes back empty.
            let port = await third.boundPort
            await third.shutdown()
            let empty = try await TestNodes.start(TestNodes.configuration(port: port))

            // Version 2 reads times of the monotonic clock only.
            let time = SystemTime()
            let bytes = state.encodedInOldForm(now: time.now, wallTime: time.wallTime)
            try Data(bytes).write(to: URL(filePath: path))
            let peer = try await DHTShell.start(state: path)
            await TestNodes.isConnected(empty)
            #expect(try await empty.get(key).map(text) == ["in-our-state"])
            // What it writes in turn is ours again.
            await peer.quit()
            let back = try NodeState(decoding: Array(try Data(contentsOf: URL(filePath: path))))
            #expect(back.id == state.id && back.values.map(\.value) == state.values.map(\.value))
            await empty.shutdown()
        }

        @Test func `a node of version 2 takes the nodes of our newer form`() async throws {
            let folder = try TemporaryFolder()
            let path = folder.path + "/state"
            let node = try await TestNodes.start(TestNodes.configuration())
            let contact = NodeState.Contact(
                id: await node.id,
                endpoint: Endpoint(ipv4: 0x7F00_0001, port: UInt16(await node.boundPort))
            )
            let value = StoredValue(key: key, value: Value(id: 1), created: .wallTime(SystemTime().wallTime))
            let state = NodeState(id: InfoHash(hashing: "their id"), contacts: [contact], values: [value])
            try Data(state.encoded).write(to: URL(filePath: path))
            let peer = try await DHTShell.start(state: path)
            // A node ends when it is let go, which may be after its last use.
            defer { withExtendedLifetime(peer) {} }
            await TestNodes.isConnected(node)
            #expect(await node.export().contacts.map(\.id) == [state.id])
            await node.shutdown()
        }
    }
}
