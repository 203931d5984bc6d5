import Foundation
import JSON
import Keys
import Runtime
import Testing

@testable import ApusCommand
@testable import DHT

/// Nodes that answered, sent something, or fell silent.
private func snapshot(_ id: InfoHash, _ health: NodeSnapshot.Health = .good) -> NodeSnapshot {
    let now = Instant() + .seconds(100_000)
    var node = Node(id: id, endpoint: Endpoint(ipv4: 0x0A00_0001, port: 4222))
    node.lastSeen = now - .seconds(7)
    if health == .good { node.lastReply = now - .seconds(7) }
    node.isExpired = health == .expired
    return NodeSnapshot(node, now: now)
}

@Suite struct CrawlTests {
    /// A network as a search sees it: the fourteen ids nearest to a place, among those that exist.
    private func crawl(_ ids: [InfoHash], limit: Int = 10_000) -> (
        found: Set<InfoHash>, searches: Int, isCutShort: Bool
    ) {
        var crawl = Crawl(limit: limit)
        while let region = crawl.next() {
            let near = ids.sorted { $0.isCloser(to: region.middle, than: $1) }.prefix(14)
            _ = crawl.take(near.map { snapshot($0) }, in: region)
        }
        return (Set(crawl.nodes.keys), crawl.searched, crawl.isCutShort)
    }

    @Test(arguments: [0, 1, 7, 8, 9, 100, 1000]) func `all nodes are found`(count: Int) {
        let ids = (0..<count).map { InfoHash(hashing: "node \($0)") }
        let result = crawl(ids)
        #expect(result.found == Set(ids))
        #expect(result.searches <= max(count, 1))
        #expect(!result.isCutShort)
    }

    @Test func `ids that lie close together are found, and end the search`() {
        let base = InfoHash(hashing: "base")
        let ids = (0..<40).map { InfoHash(high: base.high, middle: base.middle, low: base.low ^ $0) }
        let result = crawl(ids)
        #expect(result.searches <= 2 * Crawl.depthLimit + 1)
        #expect(result.found.count >= 8)
    }

    @Test func `it ends at its limit`() {
        let ids = (0..<1000).map { InfoHash(hashing: "node \($0)") }
        let result = crawl(ids, limit: 10)
        #expect(result.searches == 10 && result.isCutShort)
    }
}

@Suite struct ANSITextTests {
    @Test(arguments: [
        ("plain", 10, "plain"), ("plain", 3, "pla"), ("\u{1B}[32mgreen\u{1B}[0m", 10, "\u{1B}[32mgreen\u{1B}[0m"),
        ("\u{1B}[32mgreen\u{1B}[0m", 2, "\u{1B}[32mgr\u{1B}[0m"), ("漢字", 3, "漢"), ("", 0, ""), ("x", 0, ""),
    ])
    func `colours take no columns`(text: String, columns: Int, expected: String) {
        #expect(ANSIText.cut(text, to: columns) == expected)
    }
}

@Suite struct DHTViewTests {
    private func model() -> InfoModel {
        let id = InfoHash(hashing: "own")
        var statistics = NodeStatistics()
        statistics.ipv4 = NodeStatistics.Family(status: .connected, known: 5, good: 3, dubious: 1)
        statistics.ipv4.networkSizeEstimate = 16
        let far = RoutingTableSnapshot.Bucket(
            first: .zero.settingBit(0),
            depth: 1,
            isOwn: false,
            nodes: (0..<3).map { snapshot(InfoHash(hashing: "far \($0)")) },
            sinceReply: .seconds(7)
        )
        let near = RoutingTableSnapshot.Bucket(
            first: .zero,
            depth: 1,
            isOwn: true,
            nodes: [
                snapshot(InfoHash(hashing: "silent"), .expired), snapshot(InfoHash(hashing: "unsure"), .dubious),
            ],
            sinceReply: nil
        )
        let search = SearchSnapshot(
            key: InfoHash(hashing: "key"),
            family: .ipv4,
            members: [
                SearchSnapshot.Member(
                    node: far.nodes[0],
                    isSynced: true,
                    isSlow: false,
                    isAsked: true,
                    confirmedValues: [1],
                    confirmedListeners: 1
                )
            ],
            gets: 1,
            puts: [1, 2],
            permanentPuts: [],
            listeners: 1,
            sinceStep: .seconds(3)
        )
        return InfoModel(
            summary: NodeSummary(
                id: id,
                key: nil,
                port: 4222,
                network: 78,
                status: .connected,
                publicAddress: "192.0.2.1",
                statistics: statistics
            ),
            table: RoutingTableSnapshot(id: id, ipv4: [near, far], ipv6: []),
            searches: [search],
            capacity: 64 << 20,
            uptime: .seconds(200),
            received: [1, 2, 4],
            answered: [0, 0, 0],
            asked: [0, 8, 1]
        )
    }

    @Test func `a node is shown with its buckets, searches and numbers`() {
        let model = model()
        let lines = InfoView(paint: .none, columns: 100, rows: .max).lines(model)
        #expect(
            lines == [
                "\(model.summary.id)  port 4222  network 78  connected, up 3 min",
                "Nodes    3 good, 1 not sure, 5 known; the network has about 16  seen at 192.0.2.1",
                "Traffic  in 4/s ▂▄█  answered 0/s ▁▁▁  asked 1/s ▁█▁",
                "Storage  no values, 0 B of 64 MiB ░░░░░░░░░░░░░░░░",
                "",
                "IPv4  2 buckets, 3 of 5 nodes good",
                "  ├─ 1…  ●●●·····      7 s",
                "  └─ 0…  ◐○······    never  this node",
                "  ● answered lately  ◐ not sure  ○ silent",
                "",
                "Searches  1",
                "  \(InfoHash(hashing: "key").hex.prefix(12))… IPv4  1 of 1 nodes ready, 1 to get, 2 to put, 1 listener  3 s ago",
            ]
        )
    }

    @Test func `it fits into a small terminal`() {
        let model = model()
        for (columns, rows) in [(40, 10), (60, 20), (80, 24), (200, 50)] {
            let lines = InfoView(paint: Paint(isOn: true), columns: columns, rows: rows).lines(model)
            #expect(lines.count <= max(rows, 16))
            for line in lines { #expect(DisplayWidth.of(ANSIText.cut(line, to: columns).plain) <= columns) }
        }
        let wide = InfoView(paint: .none, columns: 100, rows: 40).lines(model).joined(separator: "\n")
        #expect(wide.contains("Nearest nodes"))
    }

    @Test func `the whole table names each node once`() {
        let model = model()
        let text = RoutingTableView(paint: .none).nodes(model.table.ipv4).joined(separator: "\n")
        for node in model.table.ipv4.flatMap(\.nodes) {
            #expect(text.components(separatedBy: node.id.hex).count == 2)
            #expect(text.contains("\(node.endpoint)"))
        }
        let fields = model.fields
        #expect(fields["good"]?.integer == 3)
        #expect(fields["buckets"]?.array?.isEmpty == false)
    }

    @Test func `bars are as high as their numbers`() {
        #expect(InfoView.sparkline([0, 1, 7]) == "▁▂█")
        #expect(InfoView.sparkline([0, 0]) == "▁▁")
        #expect(InfoView.sparkline([Int]()) == "")
    }
}

extension String {
    /// Without colours.
    fileprivate var plain: String { replacing(/\u{1B}\[[0-9;]*m/, with: "") }
}
