import TestSupport
import Testing

extension InteropTests {
    /// Apus and the real Jami daemon, whoever invites.
    @Suite(.needs(Peers.missingForInterop)) struct JamiInteropTests {
        @Test(.timeLimit(.minutes(8)), arguments: Talk.Inviter.allCases)
        func `fifty messages each way arrive, interleaved with merges`(inviter: Talk.Inviter) async throws {
            try await withTalk(inviter) { talk in
                for round in 0..<10 {
                    try await talk.apusWrites(1, "in turn, round \(round)")
                    try await talk.settle()
                    try await talk.jamiWrites(1, "in turn, round \(round)")
                    try await talk.settle()
                }
                for round in 0..<8 {
                    try await talk.bothWrite(5, "at once, round \(round)")
                    if round % 2 == 1 { try await talk.settle() }
                }
                #expect(talk.fromApus.count == 50 && talk.fromJami.count == 50)
                let merges = try await talk.apus.history(of: talk.conversation).count { $0.parents.count == 2 }
                #expect(merges > 0, "writing at once makes merges")
            }
        }

        @Test(.timeLimit(.minutes(8)), arguments: Talk.Inviter.allCases)
        func `a talk goes on after each side restarted`(inviter: Talk.Inviter) async throws {
            try await withTalk(inviter) { talk in
                try await talk.bothWrite(3, "before any restart")
                try await talk.apus.stopDaemon()
                try await talk.apus.startDaemon()
                try await talk.apus.followAgain()
                try await talk.bothWrite(3, "after Apus restarted")
                try await talk.settle()

                await talk.jami.stop()
                try await talk.jami.startAgain()
                try await talk.jami.waitUntilAnnounced(talk.jamiAccount)
                try await talk.bothWrite(3, "after Jami restarted")
                try await talk.settle()

                try await talk.apus.killDaemon()
                try await talk.apus.startDaemon()
                try await talk.apus.followAgain()
                try await talk.bothWrite(3, "after Apus was killed")
            }
        }

        @Test(.timeLimit(.minutes(8)), arguments: Talk.Inviter.allCases)
        func `what one side wrote while the other was away arrives`(inviter: Talk.Inviter) async throws {
            try await withTalk(inviter) { talk in
                try await talk.bothWrite(2, "both there")
                try await talk.settle()

                try await talk.apus.stopDaemon()
                try await talk.jamiWrites(10, "while Apus is away")
                try await talk.apus.startDaemon()
                try await talk.apus.followAgain()
                try await talk.settle()

                await talk.jami.stop()
                try await talk.apusWrites(10, "while Jami is away")
                try await talk.jami.startAgain()
                try await talk.settle()

                try await talk.apus.stopDaemon()
                try await talk.jamiWrites(5, "Jami alone")
                await talk.jami.stop()
                try await talk.apus.startDaemon()
                try await talk.apus.followAgain()
                try await talk.apusWrites(5, "Apus alone")
                try await talk.jami.startAgain()
                try await talk.jami.waitUntilAnnounced(talk.jamiAccount)
                try await talk.settle()
            }
        }

        /// Runs a talk in a network of its own and judges it at its end.
        private func withTalk(
            _ inviter: Talk.Inviter,
            isolation: isolated (any Actor)? = #isolation,
            _ body: (Talk) async throws -> Void
        ) async throws {
            try await withNetwork(named: "talk") { lab, bootstrap in
                let talk = try await Talk.begin(inviter, in: lab, bootstrap: bootstrap)
                try await body(talk)
                try await talk.judge()
                await talk.end()
            }
        }
    }
}
