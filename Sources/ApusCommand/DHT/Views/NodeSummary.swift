import DHT
import JSON
import Keys

/// The numbers of a node, as a person and a program see them.
struct NodeSummary {
    var id: InfoHash
    var key: InfoHash?
    var port: Int
    var network: UInt32
    var status: NodeStatus
    var publicAddress: String?
    var statistics: NodeStatistics

    var lines: [String] {
        let dubious = statistics.dubious > 0 ? ", \(statistics.dubious) dubious" : ""
        let size = statistics.networkSizeEstimate > 0 ? "; the network has about \(statistics.networkSizeEstimate)" : ""
        var lines = [
            "Node \(id) on port \(port)\(network == 0 ? "" : " of network \(network)"), \(status).",
            "Nodes: \(statistics.good) good\(dubious), \(statistics.known) known\(size).",
            "Stored here: \(Phrase.count(statistics.storedValues, "value")), \(Phrase.bytes(statistics.storedBytes)); "
                + "searches: \(statistics.searches).",
        ]
        if let key { lines.insert("Key \(key).", at: 1) }
        if let publicAddress { lines.append("Others see it at \(publicAddress).") }
        return lines
    }

    var fields: [String: JSONValue] {
        var fields: [String: JSONValue] = [
            "event": .string("info"), "id": .string(id.hex), "port": .integer(Int64(port)),
            "network": .integer(Int64(network)), "status": .string("\(status)"),
            "good": .integer(Int64(statistics.good)), "dubious": .integer(Int64(statistics.dubious)),
            "known": .integer(Int64(statistics.known)), "searches": .integer(Int64(statistics.searches)),
            "stored_values": .integer(Int64(statistics.storedValues)),
            "stored_bytes": .integer(Int64(statistics.storedBytes)),
            "network_size": .integer(Int64(statistics.networkSizeEstimate)),
        ]
        if let key { fields["key"] = .string(key.hex) }
        if let publicAddress { fields["public_address"] = .string(publicAddress) }
        for (name, family) in [("ipv4", statistics.ipv4), ("ipv6", statistics.ipv6)] {
            fields[name] = .object([
                "status": .string("\(family.status)"), "good": .integer(Int64(family.good)),
                "dubious": .integer(Int64(family.dubious)), "known": .integer(Int64(family.known)),
                "network_size": .integer(Int64(family.networkSizeEstimate)),
            ])
        }
        return fields
    }
}

extension NodeSummary {
    init(of session: DHTSession) async {
        let node = session.node
        self.init(
            id: await node.id,
            key: session.identity?.key.publicKey.shortID,
            port: await node.boundPort,
            network: session.options.network,
            status: await node.status,
            publicAddress: await node.publicAddress,
            statistics: await node.statistics
        )
    }
}
