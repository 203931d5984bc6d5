import ArgumentParser
import DHT
import Foundation
import JSON
import Runtime

/// Shows a node from inside.
struct DHTInfo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Watch the routing table, the traffic and the storage of a node.",
        discussion: """
            Example: apus dht info --port 4222

            On a terminal it is a picture that changes; “q” or Ctrl-C ends it. With --once, or when the output is no \
            terminal, it is printed once, when the node has found its neighbours. NO_COLOR is heeded. With --json it is \
            one object: id, port, network, status, good, dubious, known, searches, stored_values, stored_bytes, \
            capacity, network_size, public_address, uptime, and buckets with family, first, depth, own, nodes.
            """
    )

    @OptionGroup var options: DHTOptions

    @Flag(help: "Print it once.")
    var once = false

    func run() async throws {
        let isLive = !once && !options.json && RawTerminal.isPossible
        let signals = isLive ? StopSignals() : nil
        let session = try await DHTSession.start(options)
        if let signals {
            await watch(session, until: signals)
        } else {
            try await session.connect()
            // Who is near is known when the node has looked for itself.
            _ = try await session.node.closestNodes(to: await session.node.id)
            let model = await Recorder(session: session).model()
            let view = InfoView(paint: .standard, columns: RawTerminal.size.columns, rows: .max)
            Output.line(view.lines(model).joined(separator: "\n"), json: model.fields, options.common)
        }
        try await session.end()
    }

    private func watch(_ session: DHTSession, until signals: StopSignals) async {
        LiveScreen.enter()
        let keys = Task {
            var decoder = KeyDecoder()
            for await bytes in RawTerminal.bytes() {
                for key in decoder.decode(bytes) where [.character("q"), .control("c"), .control("d")].contains(key) {
                    signals.stop()
                }
            }
        }
        let painting = Task {
            let recorder = await Recorder(session: session)
            while !Task.isCancelled {
                let size = RawTerminal.size
                let view = InfoView(paint: .standard, columns: size.columns, rows: size.rows)
                LiveScreen.paint(view.lines(await recorder.model()))
                try? await Task.sleep(for: .seconds(1))
            }
        }
        await signals.wait(atMost: options.timeout.map { .seconds($0) })
        painting.cancel()
        keys.cancel()
        LiveScreen.leave()
    }
}

/// Looks at a node once a second and remembers how much it did in between.
actor Recorder {
    private static let length = 32

    private let session: DHTSession
    private let start = ContinuousClock.now
    private var last: TrafficCounts
    private var received: [Int] = []
    private var answered: [Int] = []
    private var asked: [Int] = []

    init(session: DHTSession) async {
        self.session = session
        last = await session.node.traffic
    }

    func model() async -> InfoModel {
        let node = session.node
        let counts = await node.traffic
        received = (received + [Int(clamping: counts.received - last.received)]).suffix(Self.length)
        answered = (answered + [Int(clamping: counts.served - last.served)]).suffix(Self.length)
        asked = (asked + [Int(clamping: counts.requested - last.requested)]).suffix(Self.length)
        last = counts
        return InfoModel(
            summary: await NodeSummary(of: session),
            table: await node.routingTable,
            searches: await node.searches,
            capacity: await node.storage.capacity,
            uptime: start.duration(to: .now),
            received: received,
            answered: answered,
            asked: asked
        )
    }
}
