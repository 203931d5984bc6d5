import DHT
import DHTTestSupport
import Foundation
import Keys
import Runtime
import Testing

extension InteropTests {
    @Suite(.enabled(if: DHTShell.isInstalled, "dhtnode is not installed"), .timeLimit(.minutes(3)))
    struct DHTSearchInteropTests {
        private func text(_ opened: OpenedValue) -> String {
            String(decoding: opened.value.data, as: UTF8.self)
        }

        /// The values of the next events.
        private func next(_ count: Int, of listener: DHTListener) async -> [OpenedValue] {
            var heard: [OpenedValue] = []
            for await event in listener {
                if case .value(let opened) = event { heard.append(opened) }
                if heard.count == count { break }
            }
            return heard
        }

        @Test func `listeners share what a real node pushes, each with its own filters`() async throws {
            let peer = try await DHTShell.start(hasIdentity: true)
            // A node ends when it is let go, which may be after its last use.
            defer { withExtendedLifetime(peer) {} }
            let node = try await TestNodes.start(TestNodes.configuration(bootstrap: [peer.port]))
            let owner = try #require(InfoHash(hex: peer.keyID))
            let room = InfoHash(hashing: "room")
            let all = await node.listen(at: room)
            try await peer.type("p room plain")
            #expect(await next(1, of: all).map(text) == ["plain"])
            // Who comes later gets what is known, from here.
            let late = await node.listen(at: room)
            #expect(await next(1, of: late).map(text) == ["plain"])
            let signed = await node.listen(at: room, filters: [.owner(owner)])
            try await peer.type("s room signed")
            #expect(await next(1, of: signed).map(text) == ["signed"])
            #expect(try await node.get(room).map(text).sorted() == ["plain", "signed"])
            await node.shutdown()
        }

        @Test func `a real node gets many values of ours, and we get many of a real node`() async throws {
            let peer = try await DHTShell.start()
            // A node ends when it is let go, which may be after its last use.
            defer { withExtendedLifetime(peer) {} }
            let node = try await TestNodes.start(TestNodes.configuration(bootstrap: [peer.port]))
            let ours = InfoHash(hashing: "ours")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        let data = Array("value \(number) ".utf8) + [UInt8](repeating: 0x2E, count: 700)
                        try await node.put(Value(data: data, userType: "text/plain"), at: ours)
                    }
                }
                try await group.waitForAll()
            }
            // They ask for the ids, and then for one value after the other.
            let end = try await peer.type("g ours", until: "Get: completed")
            #expect(end.contains("total 60"))
            // We ask for all at once.
            let reader = try await TestNodes.start(TestNodes.configuration(bootstrap: [peer.port]))
            #expect(Set(try await reader.get(ours).map(text)).count == 60)
            await reader.shutdown()
            await node.shutdown()
        }

        @Test func `a signed value is edited on real nodes, and who listens hears of each edition`() async throws {
            let peer = try await DHTShell.start()
            // A node ends when it is let go, which may be after its last use.
            defer { withExtendedLifetime(peer) {} }
            let node = try await TestNodes.start(
                TestNodes.configuration(bootstrap: [peer.port], identity: try TestNodes.identity())
            )
            let reader = try await TestNodes.start(TestNodes.configuration(bootstrap: [peer.port]))
            let key = InfoHash(hashing: "edited")
            let listener = await reader.listen(at: key)
            for text in ["first", "second", "third"] {
                try await node.putSigned(Value(id: 7, data: Array(text.utf8), userType: "text/plain"), at: key)
                #expect(await next(1, of: listener).map(self.text) == [text])
            }
            let found = try await reader.get(key)
            #expect(found.map(text) == ["third"] && found.map(\.value.sequence) == [2])
            try await peer.type("g edited", until: "third")
            let last = Value(id: 8, data: [1], sequence: .max)
            try await node.putSigned(last, at: key)
            await #expect(throws: DHTError(.invalidArgument, "")) { try await node.putSigned(last, at: key) }
            await reader.shutdown()
            await node.shutdown()
        }

        @Test func `a real node puts our address into a service that we announce`() async throws {
            let peer = try await DHTShell.start()
            // A node ends when it is let go, which may be after its last use.
            defer { withExtendedLifetime(peer) {} }
            let node = try await TestNodes.start(TestNodes.configuration(bootstrap: [peer.port]))
            let reader = try await TestNodes.start(TestNodes.configuration(bootstrap: [peer.port]))
            let key = InfoHash(hashing: "service")
            try await node.put(ServiceAnnouncement(port: 5070).value(), at: key)
            // Its own copy has no address.
            await node.shutdown()
            let found = try await reader.get(key).map { ServiceAnnouncement($0.value)?.endpoint }
            #expect(found.contains(Endpoint(ipv4: 0x7F00_0001, port: 5070)))
            await reader.shutdown()
        }
    }
}
