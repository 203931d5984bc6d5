public import Keys
import MessagePack
public import Runtime

/// What a node keeps between two runs: its id, the nodes that it knew, and the values that it stored.
///
/// The form is that of the state files of OpenDHT. Source: DHT protocol, "State file".
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
    /// Values that are read or written at most.
    public static let valueCapacity = 65_536
    /// Bytes of a state that is read at most.
    public static let longest = 128 << 20

    /// Each value has some twenty objects.
    static let limits = MessagePackLimits(depth: 8, items: 1 << 21)

    public var id: InfoHash
    public var contacts: [Contact]
    public var values: [StoredValue]

    public init(id: InfoHash, contacts: [Contact], values: [StoredValue] = []) {
        self.id = id
        self.contacts = contacts
        self.values = values
    }

    /// Reads a state; contacts and values that cannot be read are left out.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        guard bytes.count <= Self.longest else { throw .tooLarge("state of \(bytes.count) bytes") }
        var version: UInt64?
        var id: InfoHash?
        var contacts: [Contact] = []
        var values: [StoredValue] = []
        // A byte array has no padding, so its raw bytes are all initialised.
        var reader = unsafe MessagePackReader(bytes.span.bytes, limits: Self.limits)
        try reader.readEntries { (reader, key) throws(WireError) in
            if reader.text(at: key, equals: "v") {
                version = try reader.number()
            } else if reader.text(at: key, equals: "id") {
                id = try reader.readInfoHash()
            } else if reader.text(at: key, equals: "nodes") {
                contacts = try Self.readContacts(&reader)
            } else if reader.text(at: key, equals: "values") {
                values = try StoredValue.readAll(&reader)
            } else {
                try reader.skipObject()
            }
        }
        guard reader.isAtEnd else { throw .malformed(.trailingBytes) }
        guard version == 1 else { throw .invalid("v") }
        guard let id else { throw .missing("id") }
        self.init(id: id, contacts: contacts, values: values)
    }

    private static func readContacts(_ reader: inout MessagePackReader) throws(WireError) -> [Contact] {
        var contacts: [Contact] = []
        for position in 0..<(try reader.arrayHeader()) {
            let range = try reader.object { (reader) throws(MessagePackError) in try reader.skip() }
            var element = MessagePackReader(reader.bytes.extracting(range))
            guard position < capacity, let content = try? element.readValue(), let contact = Contact(content) else {
                continue
            }
            contacts.append(contact)
        }
        return contacts
    }

    /// The state as OpenDHT 4 writes it; version 2 reads the id and the nodes, and drops the values.
    public var encoded: [UInt8] {
        encoded { StoredValue.write($0, in: .timestamps, to: &$1) }
    }

    /// The state as OpenDHT 2 writes it, which version 4 reads too, on this machine and until it is started again.
    ///
    /// - Parameters:
    ///   - now: the monotonic time of the system.
    ///   - wallTime: the time of day at that moment.
    /// - Returns: the bytes of a state file.
    public func encodedInOldForm(now: Instant, wallTime: WallTime) -> [UInt8] {
        encoded { StoredValue.write($0, in: .steadyTimes(now: now, wallTime: wallTime), to: &$1) }
    }

    private func encoded(_ writeValues: (ArraySlice<StoredValue>, inout MessagePackWriter) -> Void) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 64 * contacts.count + 256 * values.count)
        writer.writeMapHeader(count: 4)
        writer.write("v")
        writer.write(1 as UInt8)
        writer.write("id")
        writer.write(id)
        writer.write("nodes")
        writer.write(.array(contacts.prefix(Self.capacity).map(\.content)))
        writer.write("values")
        writeValues(values.prefix(Self.valueCapacity), &writer)
        return writer.bytes
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
