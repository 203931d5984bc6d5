import DHT
import JSON
import Keys
import Runtime

/// All that is worth seeing of a node at one moment.
struct InfoModel {
    var summary: NodeSummary
    var table: RoutingTableSnapshot
    var searches: [SearchSnapshot]
    var capacity: Int
    /// How long the node has run.
    var uptime: Duration
    /// Counts in each of the last seconds, the newest last.
    var received: [Int] = []
    var answered: [Int] = []
    var asked: [Int] = []
}

/// A node as a picture for a terminal.
struct InfoView {
    let paint: Paint
    let columns: Int
    /// Lines that there is room for.
    let rows: Int

    func lines(_ model: InfoModel) -> [String] {
        let head = header(model) + [""]
        let below = searches(model)
        let families =
            [("IPv4", model.table.ipv4, model.summary.statistics.ipv4)]
            + (model.table.ipv6.contains { !$0.nodes.isEmpty }
                ? [("IPv6", model.table.ipv6, model.summary.statistics.ipv6)] : [])
        let room = rows == .max ? Int.max : max((rows - head.count - below.count - 1) / families.count - 1, 4)
        let view = RoutingTableView(paint: paint)
        var middle: [String] = []
        for (name, buckets, numbers) in families {
            middle.append(title(name, buckets, numbers))
            middle += view.buckets(buckets, columns: columns, limit: room)
        }
        let lines = head + middle + ["  " + view.legend] + below
        guard rows != .max else { return lines }
        return lines + neighbours(model, view: view, room: rows - lines.count)
    }

    /// The nodes nearest to this one, where there is room for them.
    private func neighbours(_ model: InfoModel, view: RoutingTableView, room: Int) -> [String] {
        let nodes = (model.table.ipv4 + model.table.ipv6).flatMap(\.nodes)
        guard room > 3, !nodes.isEmpty else { return [] }
        let nearest = nodes.sorted { $0.id.isCloser(to: model.summary.id, than: $1.id) }
        return ["", paint.bold("Nearest nodes")] + nearest.prefix(min(room - 2, 16)).map { "  " + view.line($0) }
    }

    private func header(_ model: InfoModel) -> [String] {
        let summary = model.summary
        let status =
            switch summary.status {
            case .connected: paint(.green, "connected")
            case .connecting: paint(.yellow, "connecting")
            case .disconnected: paint(.red, "disconnected")
            }
        let id = columns >= 90 ? summary.id.hex : Output.short(summary.id.hex)
        let network = summary.network == 0 ? "" : "  network \(summary.network)"
        let seen = summary.publicAddress.map { "  seen at \($0)" } ?? ""
        let size = summary.statistics.networkSizeEstimate
        let known = summary.statistics
        return [
            paint.bold(id) + "  port \(summary.port)\(network)  \(status), up \(Phrase.span(model.uptime))",
            "Nodes    \(known.good) good, \(known.dubious) not sure, \(known.known) known"
                + (size > 0 ? "; the network has about \(size)" : "") + seen,
            "Traffic  in \(rate(model.received))  answered \(rate(model.answered))  asked \(rate(model.asked))",
            "Storage  \(Phrase.count(known.storedValues, "value")), \(Phrase.bytes(known.storedBytes)) of "
                + "\(Phrase.bytes(model.capacity)) \(bar(known.storedBytes, of: model.capacity))",
        ]
    }

    private func rate(_ counts: [Int]) -> String {
        "\(counts.last ?? 0)/s \(paint(.cyan, Self.sparkline(counts.suffix(columns >= 90 ? 16 : 8))))"
    }

    private func bar(_ part: Int, of whole: Int) -> String {
        let width = 16
        let filled = whole > 0 ? min(part * width / whole, width) : 0
        return paint(.cyan, String(repeating: "█", count: filled))
            + paint.faint(String(repeating: "░", count: width - filled))
    }

    private func title(
        _ name: String,
        _ buckets: [RoutingTableSnapshot.Bucket],
        _ numbers: NodeStatistics.Family
    ) -> String {
        "\(paint.bold(name))  \(Phrase.count(buckets.count, "bucket")), \(numbers.good) of \(numbers.known) nodes good"
    }

    private func searches(_ model: InfoModel) -> [String] {
        guard !model.searches.isEmpty else { return [] }
        let latest = model.searches.sorted { $0.sinceStep < $1.sinceStep }
        let shown = latest.prefix(rows == .max ? 32 : max(rows / 6, 3))
        var lines = ["", paint.bold("Searches") + "  \(model.searches.count)"]
        lines += shown.map { SearchText.line($0, paint: paint) }
        return lines
    }

    /// Heights of small bars, the highest for the largest number.
    static func sparkline(_ counts: some Collection<Int>) -> String {
        let bars = Array("▁▂▃▄▅▆▇█")
        let top = max(counts.max() ?? 0, 1)
        return String(counts.map { bars[min(max($0, 0) * (bars.count - 1) / top, bars.count - 1)] })
    }
}

/// A search as a line.
enum SearchText {
    static func line(_ search: SearchSnapshot, paint: Paint) -> String {
        let synced = search.members.count { $0.isSynced }
        var parts = ["\(synced) of \(search.members.count) nodes ready"]
        if search.gets > 0 { parts.append("\(search.gets) to get") }
        if !search.puts.isEmpty { parts.append("\(search.puts.count) to put") }
        if !search.permanentPuts.isEmpty { parts.append("\(search.permanentPuts.count) kept") }
        if search.listeners > 0 { parts.append(Phrase.count(search.listeners, "listener")) }
        let family = search.family == .ipv4 ? "IPv4" : "IPv6"
        return "  \(Output.short(search.key.hex)) \(family)  \(parts.joined(separator: ", "))  "
            + paint.faint("\(Phrase.span(search.sinceStep)) ago")
    }

    static func member(_ member: SearchSnapshot.Member, view: RoutingTableView) -> String {
        var parts: [String] = []
        if member.isSynced { parts.append("ready") }
        if member.isSlow { parts.append("slow") }
        if member.isAsked { parts.append("asked") }
        if !member.confirmedValues.isEmpty {
            parts.append("has \(Phrase.count(member.confirmedValues.count, "value"))")
        }
        if member.confirmedListeners > 0 { parts.append("listened to") }
        return "    \(view.line(member.node))\(parts.isEmpty ? "" : "  ")\(parts.joined(separator: ", "))"
    }
}

extension InfoModel {
    /// The fields of ``NodeSummary``, and `uptime`, `capacity`, `searches` and `buckets` with their nodes.
    var fields: [String: JSONValue] {
        var fields = summary.fields
        fields["uptime"] = .number(Phrase.number(uptime))
        fields["capacity"] = .integer(Int64(capacity))
        fields["buckets"] = .array(
            [("ipv4", table.ipv4), ("ipv6", table.ipv6)].flatMap { family, buckets in
                buckets.map { Self.fields(of: $0, family: family) }
            }
        )
        return fields
    }

    private static func fields(of bucket: RoutingTableSnapshot.Bucket, family: String) -> JSONValue {
        .object([
            "family": .string(family), "first": .string(bucket.first.hex), "depth": .integer(Int64(bucket.depth)),
            "own": .boolean(bucket.isOwn), "nodes": .array(bucket.nodes.map { .object(NodeText.fields($0)) }),
        ])
    }
}

/// A node for a program.
enum NodeText {
    /// The fields `id`, `address`, `family` and `health`.
    static func fields(_ node: NodeSnapshot) -> [String: JSONValue] {
        [
            "id": .string(node.id.hex), "address": .string("\(node.endpoint)"),
            "family": .string("\(node.endpoint.family)"), "health": .string("\(node.health)"),
        ]
    }
}
