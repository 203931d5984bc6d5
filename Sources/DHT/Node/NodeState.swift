public import Keys
import MessagePack
package import Runtime

/// What a node keeps between two runs: its id and the nodes that it knew.
///
/// The form is that of the state files of OpenDHT, whose stored values are not taken over.
/// Source: DHT protocol, "State file".
public struct NodeState: Sendable, Equatable {
    /// A node that was good when the state was saved.
    public struct Contact: Sendable, Hashable {
        public var id: InfoHash
        public var endpoint: Endpoint

        public init(id: InfoHash, endpoint: Endpoint) {
            self.id = id
            self.endpoint = endpoint
        }
    }

    /// Contacts that are read or written at most.
    public static let capacity = 256

    public var id: InfoHash
    public var contacts: [Contact]

    public init(id: InfoHash, contacts: [Contact]) {
        self.id = id
        self.contacts = contacts
    }

    /// Reads a state; contacts that cannot be read are left out.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        let content: MessagePackValue
        do throws(MessagePackError) {
            content = try MessagePackValue.decode(bytes)
        } catch {
            throw .malformed(error)
        }
        guard content["v"]?.unsigned == 1 else { throw .invalid("v") }
        guard let id = content["id"]?.bytes.flatMap({ InfoHash($0) }) else { throw .missing("id") }
        let nodes = content["nodes"]?.array ?? []
        self.init(id: id, contacts: nodes.prefix(Self.capacity).compactMap(Contact.init))
    }

    public var encoded: [UInt8] {
        MessagePackValue.fields([
            "v": .unsigned(1),
            "id": .binary(id.bytes),
            "nodes": .array(contacts.prefix(Self.capacity).map(\.content)),
            "values": .array([]),
        ])
        .encoded
    }
}

extension NodeState.Contact {
    fileprivate init?(_ content: MessagePackValue) {
        guard let id = content["id"]?.bytes.flatMap({ InfoHash($0) }), !id.isZero,
            let address = content["addr"]?.bytes.flatMap(SocketAddressBytes.init), !address.endpoint.isMartian
        else { return nil }
        self.init(id: id, endpoint: address.endpoint)
    }

    fileprivate var content: MessagePackValue {
        .fields(["id": .binary(id.bytes), "addr": .binary(SocketAddressBytes(endpoint).bytes)])
    }
}

extension NodeCore {
    /// The good nodes of the routing tables, those near us first.
    package func state(now: Instant) -> NodeState {
        let members = families.members
        let contacts = members.flatMap { family in
            let capacity = NodeState.capacity / members.count
            return states[family].table.closest(to: id, count: capacity, nodes: nodes, now: now)
        }
        return NodeState(id: id, contacts: contacts.map { .init(id: $0.id, endpoint: $0.endpoint) })
    }

    /// Asks the nodes of an earlier run whether they are still there.
    package func restore(_ state: NodeState, now: Instant) {
        for contact in state.contacts.prefix(NodeState.capacity) {
            let known = Contact(id: contact.id, endpoint: contact.endpoint)
            guard let index = noteContact(known, evidence: .hearsay, now: now) else { continue }
            if nodes[index].pendingRequests == 0 { ping(index, now: now) }
        }
        statusMayHaveChanged = true
        settle(now)
    }
}
