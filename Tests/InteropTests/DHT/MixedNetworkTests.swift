import Foundation
import Keys
import TestSupport
import Testing

extension InteropTests {
    /// A network of 32 real nodes and 32 of ours, over both protocols, of which some are killed and others join all the time.
    @Suite(.needs(Peers.missingForNetworks ?? OpenDHT.debian.missing ?? MixedNetwork.missing))
    struct MixedNetworkTests {
        /// `APUS_CHURN_SEED` changes who is killed when, and what is stored where.
        private static let seed = UInt64(ProcessInfo.processInfo.environment["APUS_CHURN_SEED"] ?? "") ?? 1

        @Test(.timeLimit(.minutes(10)))
        func `every value that is kept is found again while nodes are killed and others join`() async throws {
            let lab = try await NetworkLab.make(named: "churn", hasIPv6: true)
            let network = MixedNetwork(lab: lab, seed: Self.seed)
            do {
                try await network.begin()
                // A quarter of all nodes goes at once, and with them those that put these values.
                try await network.putOnce(16)
                try await network.churn(victimsOfEachSide: 8)
                let lostOfTheFirst = try await network.lostValues()
                network.forgetValues()

                // All nodes but the keepers go, one after the other, while values are put.
                for round in 0..<20 {
                    if round % 4 == 0 { try await network.keep(8) }
                    try await network.churn(victimsOfEachSide: 2)
                }
                let lost = try await network.lostValues()
                network.report()
                #expect(lostOfTheFirst.isEmpty && lost.isEmpty, "seed \(Self.seed)")
            } catch {
                network.report()
                await network.end()
                throw error
            }
            await network.end()
        }
    }
}

/// The network of ``InteropTests/MixedNetworkTests``, and what was done to it.
private final class MixedNetwork {
    private struct Stored {
        let key: InfoHash
        let data: [UInt8]
    }

    static let nodesOfEachSide = 32
    /// Nodes of each side that are never killed; they put the values and keep them there.
    static let keepersOfEachSide = 4
    private static let hostCount = 8
    /// From one round to the next at least.
    private static let pace = Duration.seconds(1)

    static var missing: String? { Peers.dhtPeer == nil ? "the program DHTPeer is not built" : nil }

    private let lab: NetworkLab
    private let seed: UInt64
    private var random: SeededGenerator
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var hosts: [NetworkLab.Host] = []
    private var keepers: [DHTPeerNode] = []
    private var others: [DHTPeerNode] = []
    private var values: [Stored] = []
    private var log: [String] = []
    private var killed: [DHTPeerNode.Kind: Int] = [:]

    init(lab: NetworkLab, seed: UInt64) {
        self.lab = lab
        self.seed = seed
        random = SeededGenerator(seed: seed)
        start = clock.now
    }

    private func note(_ text: String) {
        let seconds = (clock.now - start).components.seconds
        log.append("\(seconds) s: \(text)")
    }

    /// What happened, for a person who looks for the cause of a failure.
    func report() {
        print("mixed network, seed \(seed)\n" + log.map { "  \($0)" }.joined(separator: "\n"))
    }

    func end() async {
        await withTaskGroup(of: Void.self) { group in
            for node in keepers + others { group.addTask { await node.kill() } }
        }
        await lab.close()
    }

    // MARK: Nodes

    private static func kind(_ number: Int) -> DHTPeerNode.Kind {
        if number.isMultiple(of: 2) { return .ours }
        return OpenDHT.newest.missing == nil && number % 4 == 1 ? .real(.newest) : .real(.debian)
    }

    private func startNodes(_ kinds: [DHTPeerNode.Kind]) async throws -> [DHTPeerNode] {
        let places = kinds.map { ($0, hosts[Int.random(in: 0..<hosts.count, using: &random)]) }
        let contacts = kinds.map { _ in keepers.randomElement(using: &random) }
        let lab = lab
        return try await withThrowingTaskGroup(of: DHTPeerNode.self) { group in
            for ((kind, host), contact) in zip(places, contacts) {
                group.addTask {
                    let node = try await DHTPeerNode.start(kind, port: 0, on: host, in: lab)
                    if let contact {
                        // As with a name that has addresses of both families.
                        try await node.join(contact.address, contact.port)
                        try await node.join(contact.address6, contact.port)
                    }
                    return node
                }
            }
            var started: [DHTPeerNode] = []
            for try await node in group { started.append(node) }
            // The order in which they come is not that of the seed.
            return started.sorted { "\($0.kind)" < "\($1.kind)" }
        }
    }

    /// Starts all nodes: first the keepers, each of which joins the first one.
    func begin() async throws {
        for number in 0..<Self.hostCount { hosts.append(try await lab.host("m\(number)")) }
        let kinds = (0..<2 * Self.nodesOfEachSide).map(Self.kind)
        let keepersCount = 2 * Self.keepersOfEachSide
        keepers = try await startNodes([kinds[0]])
        keepers += try await startNodes(Array(kinds[1..<keepersCount]))
        for first in stride(from: keepersCount, to: kinds.count, by: 8) {
            others += try await startNodes(Array(kinds[first..<min(first + 8, kinds.count)]))
        }
        let ours = (keepers + others).count { $0.kind == .ours }
        note("\(ours) nodes of ours and \(keepers.count + others.count - ours) real ones run")
    }

    /// Kills nodes of each side at once, the oldest more often than others, and starts as many.
    func churn(victimsOfEachSide count: Int) async throws {
        let next = clock.now + Self.pace
        var victims: [DHTPeerNode] = []
        for position in 0..<2 * count {
            let candidates = others.indices.filter { (others[$0].kind == .ours) == position.isMultiple(of: 2) }
            // Nodes that come are at the end.
            guard let index = candidates.prefix(8).randomElement(using: &random) else { continue }
            victims.append(others.remove(at: index))
        }
        for victim in victims {
            await victim.kill()
            killed[victim.kind, default: 0] += 1
        }
        others += try await startNodes(victims.map(\.kind))
        try await clock.sleep(until: next)
        note("killed \(victims.map { "\($0.address):\($0.port)" }.joined(separator: ", ")); as many joined")
    }

    // MARK: Values

    /// Has those that are killed next put values, which then live on the nodes that took them.
    func putOnce(_ count: Int) async throws {
        try await put(count, by: Array(others.prefix(16)), permanent: false)
    }

    /// Has keepers of both sides put values for good.
    func keep(_ count: Int) async throws {
        // The Python module of the older version cannot put permanently.
        try await put(count, by: keepers.filter { $0.kind != .real(.debian) }, permanent: true)
    }

    private func put(_ count: Int, by putters: [DHTPeerNode], permanent: Bool) async throws {
        var puts: [(DHTPeerNode, Stored)] = []
        for number in values.count..<values.count + count {
            let size = [20, 500, 3_000][Int.random(in: 0..<3, using: &random)]
            let key = InfoHash(hashing: "value \(number) of \(seed), kept: \(permanent)")
            puts.append((putters[number % putters.count], Stored(key: key, data: random.bytes(size))))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (putter, stored) in puts {
                group.addTask {
                    let put = try await putter.put(stored.data, at: stored.key, permanent: permanent)
                    guard put.isConfirmed else { throw PeerError("Nobody confirmed a value of \(putter.kind)") }
                }
            }
            try await group.waitForAll()
        }
        values += puts.map(\.1)
        note("\(count) values were put \(permanent ? "for good" : "once")")
    }

    func forgetValues() {
        values = []
    }

    /// Those values that new nodes, of ours and real ones, do not find.
    ///
    /// All ask at the same time. What one did not find at once it asks for again: nodes that were just killed may have been
    /// the last to have it beside the one that keeps it.
    func lostValues() async throws -> [String] {
        let kinds: [DHTPeerNode.Kind] =
            [.ours, .real(.debian)] + (OpenDHT.newest.missing == nil ? [.real(.newest)] : [])
        let readers = try await startNodes(kinds)
        others += readers
        var missing = readers.map { ($0, values) }
        for attempt in 1...4 where !missing.isEmpty {
            if attempt > 1 { try await clock.sleep(for: .seconds(5)) }
            missing = try await withThrowingTaskGroup(of: (DHTPeerNode, [Stored]).self) { group in
                for (reader, wanted) in missing {
                    group.addTask { (reader, try await Self.notFound(wanted, by: reader)) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for (reader, left) in missing {
                note(
                    "attempt \(attempt), new node, \(reader.kind): found all but \(left.count) of \(values.count) values"
                )
            }
            missing.removeAll { $0.1.isEmpty }
        }
        note("killed in all: \(killed.map { "\($0.value) of \($0.key)" }.sorted().joined(separator: ", "))")
        return missing.flatMap { reader, left in left.map { "\($0.key.hex) is not found by \(reader.kind)" } }
    }

    private static func notFound(_ wanted: [Stored], by reader: DHTPeerNode) async throws -> [Stored] {
        try await withThrowingTaskGroup(of: Stored?.self) { group in
            for stored in wanted {
                group.addTask {
                    try await reader.get(stored.key).contains { $0.data == stored.data } ? nil : stored
                }
            }
            return try await group.reduce(into: []) { if let stored = $1 { $0.append(stored) } }
        }
    }
}
