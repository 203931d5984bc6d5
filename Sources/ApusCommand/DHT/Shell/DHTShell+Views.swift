import DHT
import JSON
import Keys

/// What the node looks like from inside.
extension DHTShell {
    func showInfo() async {
        let summary = await NodeSummary(of: session)
        emit(summary.lines.joined(separator: "\n"), summary.fields)
    }

    func showAddresses() async {
        let address = await session.node.publicAddress
        emit(
            address.map { "Others see this node at \($0)." } ?? "Nobody has told yet at which address this node is.",
            ["event": .string("address"), "address": address.map { .string($0) } ?? .null]
        )
    }

    func showTable() async {
        let table = await session.node.routingTable
        let view = RoutingTableView(paint: paint)
        for (name, buckets) in [("IPv4", table.ipv4), ("IPv6", table.ipv6)] {
            let nodes = buckets.flatMap(\.nodes)
            guard !nodes.isEmpty || name == "IPv4" else { continue }
            emit(
                (["\(name): \(Phrase.count(buckets.count, "bucket")), \(Phrase.count(nodes.count, "node"))"]
                    + view.nodes(buckets)).joined(separator: "\n"),
                [
                    "event": .string("table"), "family": .string(name.lowercased()),
                    "nodes": .array(nodes.map { .object(NodeText.fields($0)) }),
                ]
            )
        }
    }

    func showSearches(_ key: DHTKey?) async {
        let searches = await session.node.searches.filter { key == nil || $0.key == key?.hash }
        let view = RoutingTableView(paint: paint)
        for search in searches {
            let members = key == nil ? [] : search.members.map { SearchText.member($0, view: view) }
            emit(
                ([SearchText.line(search, paint: paint)] + members).joined(separator: "\n"),
                [
                    "event": .string("search"), "key": .string(search.key.hex), "family": .string("\(search.family)"),
                    "nodes": .array(search.members.map { .object(NodeText.fields($0.node)) }),
                    "ready": .integer(Int64(search.members.count { $0.isSynced })),
                    "gets": .integer(Int64(search.gets)), "listeners": .integer(Int64(search.listeners)),
                    "puts": .array((search.puts + search.permanentPuts).map { .string(ValueText.id($0)) }),
                ]
            )
        }
        if searches.isEmpty { emit("There is no search.", ["event": .string("searches"), "count": .integer(0)]) }
    }

    func showStorage(_ key: DHTKey?) async {
        let storage = await session.node.storage
        let places = storage.places.filter { key == nil || $0.key == key?.hash }
        for place in places {
            emit(
                "  \(place.key)  \(Phrase.count(place.entries.count, "value")), \(Phrase.bytes(place.bytes))"
                    + (place.listeners.isEmpty ? "" : ", \(Phrase.count(place.listeners.count, "listener"))"),
                [
                    "event": .string("place"), "key": .string(place.key.hex), "bytes": .integer(Int64(place.bytes)),
                    "values": .integer(Int64(place.entries.count)), "listeners": .integer(Int64(place.listeners.count)),
                ]
            )
            guard key != nil else { continue }
            for entry in place.entries { show(entry, at: place.key) }
        }
        if places.isEmpty { emit("Nothing is stored here.", ["event": .string("storage"), "count": .integer(0)]) }
    }

    private func show(_ entry: StorageSnapshot.Entry, at key: InfoHash) {
        // What is stored has not been opened: who signed it is only what it says.
        let opened = OpenedValue(value: entry.value, signer: nil, wasEncrypted: false)
        let rest = entry.lifetime.map { "for \(Phrase.span($0))" } ?? "for good"
        var fields = ValueText.fields(opened)
        fields["event"] = .string("stored_value")
        fields["key"] = .string(key.hex)
        fields["lifetime"] = entry.lifetime.map { .number(Phrase.number($0)) } ?? .null
        fields["own"] = .boolean(entry.isOwn)
        emit("    \(ValueText.line(opened))  \(rest)\(entry.isOwn ? ", ours" : "")", fields)
    }
}
