import DHT
import DHTTestSupport
import Foundation
import Keys
import Testing

extension InteropTests {
    @Suite(.enabled(if: DHTShell.isInstalled, "dhtnode is not installed"), .timeLimit(.minutes(3)))
    struct DHTQueryInteropTests {
        @Test func `queries with fields and filters go both ways`() async throws {
            let peer = try await DHTShell.start(hasIdentity: true)
            // Nodes end when they are let go, which may be after their last use.
            defer { withExtendedLifetime(peer) {} }
            let node = try await TestNodes.start(TestNodes.configuration(bootstrap: [peer.port]))
            let owner = try #require(InfoHash(hex: peer.keyID))
            let room = InfoHash(hashing: "room")
            try await node.put(Value(id: 0xABC1, data: [1], userType: "text/plain"), at: room)
            try await node.put(Value(id: 0xABC2, type: 3, data: [2], userType: "a b"), at: room)
            for query in [
                "SELECT id,value_type", "SELECT id WHERE user_type=\"a b\"", "SELECT user_type WHERE value_type=3",
            ] {
                try await peer.type("q room \(query)")
            }
            _ = try await peer.line(containing: "Id:abc2,ValueType:3]")
            _ = try await peer.line(containing: "abc2]")
            _ = try await peer.line(containing: "[UserType:a b]")

            // Theirs, on a node that stores nothing itself.
            try await peer.type("s other signed-by-them", until: "Put signed: success")
            try await peer.type("p other plain-by-them", until: "Put: success")
            let reader = try await TestNodes.start(TestNodes.configuration(bootstrap: [peer.port]))
            let other = InfoHash(hashing: "other")
            let rows = try await reader.query(other, Query(parsing: "SELECT *"))
            #expect(Set(rows.map(\.userType)) == ["text/plain"] && rows.count == 2)
            #expect(Set(rows.map(\.owner)) == [.zero, owner])
            let signed = try await reader.query(other, Query(parsing: "SELECT id,owner WHERE seq=0,owner=\(owner.hex)"))
            #expect(signed.map(\.owner) == [owner] && signed.map(\.type) == [nil])
            #expect(try await reader.query(other, Query(parsing: "SELECT id WHERE seq=1")).isEmpty)
            #expect(try await reader.query(other, Query(parsing: "WHERE user_type=none")).isEmpty)
            let found = try await reader.get(other, filters: [ValueFilter](parsing: "owner=\(owner.hex)"))
            #expect(found.map(\.signer?.shortID) == [owner])
            for await event in await reader.listen(at: other, filters: [.owner(owner)]) {
                guard case .value(let opened) = event else { continue }
                #expect(opened.signer?.shortID == owner)
                break
            }
            await reader.shutdown()
            await node.shutdown()
        }
    }
}
