import ArgumentParser
import DHT
import Foundation
import JSON
import Keys

/// Walks over the network and lists its nodes.
struct DHTScan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan",
        abstract: "Find all nodes of the network.",
        discussion: """
            Example: apus dht scan --bootstrap 192.168.1.7:4222

            Looks for the nodes around more and more places, until each region of the ids is known. Ends with what it \
            has found so far on Ctrl-C, or after --timeout (default: 10 minutes). With --json there is an object for \
            each node: id, address, family, health ("good" when it answered, "dubious", "expired"); and one at the end \
            with event "scanned", searches, ipv4, ipv6, answered_ipv4, answered_ipv6, complete, seconds.
            """
    )

    @OptionGroup var options: DHTOptions

    @Option(help: "The most searches that are done.")
    var searches = 4096

    @Option(help: "Searches at the same time.")
    var parallel = 8

    func validate() throws {
        guard searches > 0, (1...64).contains(parallel) else {
            throw ValidationError("--searches must be above 0, --parallel between 1 and 64.")
        }
    }

    func run() async throws {
        let signals = StopSignals()
        let start = ContinuousClock.now
        let session = try await DHTSession.start(options, isBrief: true)
        try await session.connect()
        let crawler = Crawler(node: session.node, crawl: Crawl(limit: searches)) { report($0) }
        let progress = Progress(isQuiet: options.json)
        let work = Task {
            await crawler.run(parallel: parallel, progress: progress)
            signals.stop()
        }
        await signals.wait(atMost: options.timeout.map { .seconds($0) } ?? .seconds(600))
        let isComplete = await crawler.isComplete
        work.cancel()
        progress.clear()
        await summarize(crawler.crawl, isComplete: isComplete, time: start.duration(to: .now))
        try await session.end()
    }

    private func report(_ node: NodeSnapshot) {
        let view = RoutingTableView(paint: .standard)
        Output.line(
            "\(view.symbol(node.health)) \(node.id)  \(node.endpoint)",
            json: NodeText.fields(node),
            options.common
        )
    }

    private func summarize(_ crawl: Crawl, isComplete: Bool, time: Duration) {
        let (ipv4, ipv6) = (crawl.count(.ipv4), crawl.count(.ipv6))
        var parts = ["\(Phrase.count(ipv4.known, "node")) on IPv4, \(ipv4.answered) answered"]
        if ipv6.known > 0 { parts.append("\(ipv6.known) on IPv6, \(ipv6.answered) answered") }
        let searched = crawl.searched == 1 ? "1 search" : "\(crawl.searched) searches"
        Output.line(
            "\(parts.joined(separator: "; ")); \(searched) within \(Phrase.time(time))"
                + (isComplete ? "." : ", not all of the network."),
            json: [
                "event": .string("scanned"), "searches": .integer(Int64(crawl.searched)),
                "ipv4": .integer(Int64(ipv4.known)), "ipv6": .integer(Int64(ipv6.known)),
                "answered_ipv4": .integer(Int64(ipv4.answered)), "answered_ipv6": .integer(Int64(ipv6.answered)),
                "complete": .boolean(isComplete), "seconds": .number(Phrase.number(time)),
            ],
            options.common
        )
    }
}

/// Does the searches of a crawl, several at the same time.
actor Crawler {
    private let node: DHTNode
    private(set) var crawl: Crawl
    private(set) var isComplete = false
    private let found: @Sendable (NodeSnapshot) -> Void

    init(node: DHTNode, crawl: Crawl, found: @escaping @Sendable (NodeSnapshot) -> Void) {
        self.node = node
        self.crawl = crawl
        self.found = found
    }

    func run(parallel: Int, progress: Progress) async {
        await withTaskGroup(of: (Crawl.Region, [NodeSnapshot]).self) { group in
            var running = 0
            while true {
                while running < parallel, !Task.isCancelled, let region = crawl.next() {
                    running += 1
                    group.addTask { [node] in (region, (try? await node.closestNodes(to: region.middle)) ?? []) }
                }
                guard let (region, nodes) = await group.next() else { break }
                running -= 1
                guard !Task.isCancelled else { continue }
                progress.clear()
                for new in crawl.take(nodes, in: region) { found(new) }
                progress.show("\(Phrase.count(crawl.nodes.count, "node")), \(crawl.searched) searches…")
            }
        }
        isComplete = !Task.isCancelled && !crawl.isCutShort
    }
}
