import Foundation
import TestSupport
import Testing

extension InteropTests {
    /// The daemon is killed at random moments of an exchange: said means stored.
    @Suite(.needs(Peers.missingForApus)) struct CrashTests {
        /// `APUS_CRASH_ROUNDS` and `APUS_CRASH_SEED` change how long and with which numbers this runs.
        private static let rounds = Int(ProcessInfo.processInfo.environment["APUS_CRASH_ROUNDS"] ?? "") ?? 200
        private static let seed = UInt64(ProcessInfo.processInfo.environment["APUS_CRASH_SEED"] ?? "") ?? 1

        @Test(.timeLimit(.minutes(30)))
        func `no accepted message is lost or shown twice when the daemon is killed at any moment`() async throws {
            try await withNetwork(named: "crash") { lab, bootstrap in
                let exchange = try await Exchange.begin(in: lab, bootstrap: bootstrap)
                var random = SeededGenerator(seed: Self.seed)
                for round in 0..<Self.rounds {
                    try await exchange.run(round, using: &random)
                    if round % 20 == 19 { try await exchange.readInboxes() }
                }
                try await exchange.judge("seed \(Self.seed), \(Self.rounds) rounds")
                await exchange.end()
            }
        }
    }
}

/// Two Apus that write to each other while one of them is killed again and again.
private final class Exchange {
    /// One side, what it said and was accepted, and what its inbox has shown.
    final class Side: Sendable {
        let peer: ApusPeer
        let account: ApusPeer.Account
        let accepted = Mailbox<String>()
        let shown = Mailbox<ApusPeer.Message>()

        init(_ started: (ApusPeer, ApusPeer.Account)) {
            (peer, account) = started
        }
    }

    let victim: Side
    let witness: Side
    let conversation: String

    private init(victim: Side, witness: Side, conversation: String) {
        self.victim = victim
        self.witness = witness
        self.conversation = conversation
    }

    static func begin(in lab: NetworkLab, bootstrap: String) async throws -> Exchange {
        let victim = Side(
            try await ApusPeer.start(on: lab.host("victim"), in: lab, bootstrap: bootstrap, alias: "Victim")
        )
        let witness = Side(
            try await ApusPeer.start(on: lab.host("witness"), in: lab, bootstrap: bootstrap, alias: "Witness")
        )
        let conversation = try await witness.peer.addContact(victim.account.id)
        try await victim.peer.waitForContact(witness.account.id, state: "requested")
        _ = try await victim.peer.acceptContact(witness.account.id)
        try await victim.peer.waitForContact(witness.account.id, state: "ready")
        try await witness.peer.waitForContact(victim.account.id, state: "ready")
        return Exchange(victim: victim, witness: witness, conversation: conversation)
    }

    /// Both write; the victim is killed somewhere in between, at times once more while it starts again.
    func run(_ round: Int, using random: inout SeededGenerator) async throws {
        let moment = Duration.milliseconds(Int.random(in: 0...400, using: &random))
        let dies = Int.random(in: 0..<5, using: &random) == 0
        let secondMoment = Duration.milliseconds(Int.random(in: 0...300, using: &random))
        let (victim, witness) = (victim, witness)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await Self.write("victim, round \(round)", from: victim, to: witness) }
            group.addTask { await Self.write("witness, round \(round)", from: witness, to: victim) }
            group.addTask {
                try await Task.sleep(for: moment)
                try await victim.peer.killDaemon()
            }
            try await group.waitForAll()
        }
        if dies {
            let killer = Task { [peer = victim.peer] in
                try await Task.sleep(for: secondMoment)
                try await peer.killAnyDaemon()
            }
            try? await victim.peer.startDaemon(within: .seconds(5))
            try await killer.value
        }
        try await victim.peer.startDaemon()
    }

    /// A message counts as accepted when the command said so.
    private static func write(_ body: String, from side: Side, to other: Side) async {
        for part in 0..<3 {
            let text = "\(body), part \(part)"
            if (try? await side.peer.send(text, to: other.account.id)) != nil { side.accepted.post(text) }
        }
    }

    func readInboxes() async throws {
        for side in [victim, witness] {
            for message in try await side.peer.unread() { side.shown.post(message) }
        }
    }

    /// Waits until both sides hold everything that was accepted, and the same commits, merges included.
    private func settle(_ run: Comment) async throws -> (left: [String], right: [String]) {
        let accepted = victim.accepted.all + witness.accepted.all
        return try await eventually(
            within: .seconds(180),
            every: .milliseconds(500),
            "both sides hold everything; \(run)"
        ) {
            let left = try await victim.peer.history(of: conversation)
            let right = try await witness.peer.history(of: conversation)
            let bodies = Set(left.compactMap(\.body)).intersection(right.compactMap(\.body))
            guard Set(left.map(\.id)) == Set(right.map(\.id)), bodies.isSuperset(of: accepted) else { return nil }
            return (left.map(\.id), right.map(\.id))
        }
    }

    func judge(_ run: Comment) async throws {
        let (left, right) = try await settle(run)
        #expect(left == right, "both sides show the same commits in the same order; \(run)")
        let accepted = victim.accepted.all + witness.accepted.all
        try await readInboxes()
        for (side, other) in [(victim, witness), (witness, victim)] {
            let history = try await side.peer.history(of: conversation)
            let bodies = Dictionary(grouping: history.compactMap(\.body)) { $0 }.mapValues(\.count)
            let shown = Dictionary(grouping: side.shown.all.filter(\.isIncoming).map(\.body)) { $0 }.mapValues(\.count)
            for body in accepted { #expect(bodies[body] == 1, "held once: \(body); \(run)") }
            for body in other.accepted.all { #expect(shown[body] == 1, "shown once: \(body); \(run)") }
            #expect(shown.values.allSatisfy { $0 == 1 }, "nothing is shown twice; \(run)")
            try await side.peer.check(conversation)
        }
    }

    func end() async {
        await victim.peer.close()
        await witness.peer.close()
    }
}
