import JSON
import TestSupport
import Testing

extension InteropTests {
    /// The harness itself: what two real Jami daemons do together, Apus must do with one of them.
    @Suite(.needs(Peers.missingForJami)) struct JamiBaselineTests {
        @Test(.timeLimit(.minutes(4)))
        func `two Jami daemons become contacts and talk, also after a restart`() async throws {
            try await withNetwork(named: "base") { lab, bootstrap in
                let alice = try await JamiPeer.start(on: lab.host("alice"), in: lab)
                let bob = try await JamiPeer.start(on: lab.host("bob"), in: lab)
                let aliceAccount = try await alice.newAccount(alias: "alice", bootstrap: bootstrap)
                let bobAccount = try await bob.newAccount(alias: "bob", bootstrap: bootstrap)

                try await alice.invite(bobAccount.id, from: aliceAccount)
                try await bob.wait(for: "incomingTrustRequest", matching: ["2": aliceAccount.id])
                try await bob.accept(aliceAccount.id, as: bobAccount)
                let ready = try await bob.wait(for: "conversationReady", matching: ["0": bobAccount.local])
                let conversation = try #require(ready.dropFirst().first?.string)
                try await alice.wait(
                    for: "conversationMemberEvent",
                    matching: ["1": conversation, "2": bobAccount.id, "3": "1"]
                )

                try await alice.send("first", in: conversation, from: aliceAccount)
                try await bob.wait(for: "messageReceived", matching: ["2.body": "first"])
                await bob.stop()
                try await bob.startAgain()
                try await bob.waitUntilAnnounced(bobAccount)
                // This Jami loses a notification that meets a dead socket; the next message brings what is missing.
                var nudges = 0
                try await bob.send("second", in: conversation, from: bobAccount)
                try await eventually(within: .seconds(90), "the second message arrives") {
                    let arrived = ["2.body": "second"]
                    if (try? await alice.wait(for: "messageReceived", matching: arrived, within: .seconds(15))) != nil {
                        return ()
                    }
                    nudges += 1
                    try await bob.send("nudge \(nudges)", in: conversation, from: bobAccount)
                    return nil
                }

                try await eventually(within: .seconds(30), "both sides hold the same commits") {
                    let left = try await alice.commits(of: conversation, of: aliceAccount)
                    let right = try await bob.commits(of: conversation, of: bobAccount)
                    return left.map(\.id) == right.map(\.id) ? () : nil
                }
                alice.kill()
                bob.kill()
            }
        }
    }
}
