import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import DHT

@Suite struct NodeStateTests {
    @Test(arguments: ["2.4.12", "4.3.1"]) func `states of the real library are read`(version: String) throws {
        let vector = try Vectors.load("opendht-state")["state"][version]
        let state = try NodeState(decoding: vector["state_file"].hex)
        #expect(state.id.hex == vector["decoded"]["id"]["$bin"].text)
        #expect(state.contacts.map(\.id.hex) == vector["decoded"]["nodes"].elements.map { $0["id"]["$bin"].text })
        #expect(!state.contacts.isEmpty)
    }

    @Test func `an entry is written as the real library writes it`() throws {
        for vector in try Vectors.load("opendht-state")["node_export"].elements {
            let whole = [0x84, 0xA1, 0x76, 0x01, 0xA2, 0x69, 0x64, 0xC4, 0x14] + [UInt8](repeating: 1, count: 20)
            let nodes = [0xA5] + Array("nodes".utf8) + [0x91] + vector["packed"].hex
            let bytes = whole + nodes + [0xA6] + Array("values".utf8) + [0x90]
            #expect(try NodeState(decoding: bytes).encoded == bytes)
        }
    }

    @Test(arguments: ["", "c0", "80", "81a17601", "82a17602a26964c4140101010101010101010101010101010101010101"])
    func `malformed states are refused`(hex: String) throws {
        let bytes = try #require(Hexadecimal.decode(hex))
        #expect(throws: WireError.self) { try NodeState(decoding: bytes) }
    }

    @Test func `contacts are bounded, and bad ones are left out`() throws {
        let many = (1...1000 as ClosedRange<UInt32>).map { number in
            NodeState.Contact(
                id: InfoHash(hashing: "\(number)"),
                endpoint: Endpoint(ipv4: 0x0A00_0000 + number, port: 1)
            )
        }
        let state = NodeState(id: InfoHash(hashing: "x"), contacts: many)
        #expect(try NodeState(decoding: state.encoded).contacts == Array(many.prefix(256)))
        let bad = NodeState(id: state.id, contacts: [.init(id: .zero, endpoint: many[0].endpoint), many[1]])
        #expect(try NodeState(decoding: bad.encoded).contacts == [many[1]])
    }

    @Test func `the nodes of an earlier run are asked`() {
        let harness = CoreHarness()
        let peer = CoreHarness.Peer(1)
        harness.core.restore(
            NodeState(id: .zero, contacts: [.init(id: peer.id, endpoint: peer.endpoint)]),
            now: harness.now
        )
        #expect(harness.core.status == .connecting)
        harness.befriend(peer)
        #expect(harness.core.status == .connected)
        #expect(harness.core.state(now: harness.now).contacts.map(\.id) == [peer.id])
    }
}
