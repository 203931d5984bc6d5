import DHT
import Keys

/// The routing tables of a node as lines.
struct RoutingTableView {
    /// Bits of a prefix that are shown.
    private static let prefixLimit = 20

    let paint: Paint

    func symbol(_ health: NodeSnapshot.Health) -> String {
        switch health {
        case .good: paint(.green, "●")
        case .dubious: paint(.yellow, "◐")
        case .expired: paint(.red, "○")
        }
    }

    var legend: String {
        "\(symbol(.good)) answered lately  \(symbol(.dubious)) not sure  \(symbol(.expired)) silent"
    }

    /// A line for each bucket, drawn as a tree: far ids first, the node's own bucket last.
    func buckets(_ buckets: [RoutingTableSnapshot.Bucket], columns: Int, limit: Int = .max) -> [String] {
        let sorted = Self.ordered(buckets)
        let prefixes = sorted.map { Self.prefix(of: $0) }
        let width = min(prefixes.map(\.count).max() ?? 0, Self.prefixLimit + 1)
        // Buckets near the end are those around the node, which say most.
        let skipped = max(sorted.count - limit, 0)
        var lines: [String] = []
        if skipped > 0 { lines.append(paint.faint("  │  … \(Phrase.count(skipped, "bucket")) farther away")) }
        for (index, bucket) in sorted.enumerated().dropFirst(skipped) {
            let branch = index == sorted.count - 1 ? "  └─ " : "  ├─ "
            let prefix = DisplayWidth.fit(prefixes[index], to: width)
            let nodes = bucket.nodes.sorted { Self.rank($0.health) < Self.rank($1.health) }
            let bar = nodes.map { symbol($0.health) }.joined()
            let filling = String(repeating: "·", count: max(8 - nodes.count, 0))
            var line = paint.faint(branch) + (bucket.isOwn ? paint.bold(prefix) : prefix)
            line += "  " + bar + paint.faint(filling)
            if columns >= width + 40 {
                let age = bucket.sinceReply.map { Phrase.span($0) } ?? "never"
                line += "  " + paint.faint(DisplayWidth.fit(age, to: 7, isRight: true))
                if bucket.isOwn { line += paint(.cyan, "  this node") }
            }
            lines.append(line)
        }
        return lines
    }

    /// A line for each node, under a line for its bucket.
    func nodes(_ buckets: [RoutingTableSnapshot.Bucket]) -> [String] {
        Self.ordered(buckets).flatMap { bucket in
            let head = "  \(Self.prefix(of: bucket))\(bucket.isOwn ? "  (this node)" : "")"
            return [head] + bucket.nodes.map { "    \(line($0))" }
        }
    }

    func line(_ node: NodeSnapshot) -> String {
        let seen = node.sinceSeen.map { "seen \(Phrase.span($0)) ago" } ?? "not seen yet"
        return "\(symbol(node.health)) \(node.id)  \(node.endpoint)  \(paint.faint(seen))"
    }

    private static func rank(_ health: NodeSnapshot.Health) -> Int {
        switch health {
        case .good: 0
        case .dubious: 1
        case .expired: 2
        }
    }

    /// The buckets of short prefixes first: they are far away, and hold many ids.
    private static func ordered(_ buckets: [RoutingTableSnapshot.Bucket]) -> [RoutingTableSnapshot.Bucket] {
        buckets.sorted { left, right in
            if left.isOwn != right.isOwn { return right.isOwn }
            return left.depth != right.depth ? left.depth < right.depth : left.first < right.first
        }
    }

    /// The bits that all ids of a bucket begin with.
    private static func prefix(of bucket: RoutingTableSnapshot.Bucket) -> String {
        guard bucket.depth > 0 else { return "all ids" }
        let digits = bucket.first.bytes.prefix((prefixLimit + 7) / 8).map { byte in
            let bits = String(byte, radix: 2)
            return String(repeating: "0", count: 8 - bits.count) + bits
        }
        let shown = digits.joined().prefix(min(bucket.depth, prefixLimit))
        return shown + "…"
    }
}
