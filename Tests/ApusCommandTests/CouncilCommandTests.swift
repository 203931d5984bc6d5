import Foundation
import JSON
import TestSupport
import Testing

/// The command `apus council` at a node with a real EVM.
@Suite(
    .enabled(if: Peers.apus != nil && Peers.missingForEthereum == nil, "the command or the test network is not there"),
    .takingTurns,
    .timeLimit(.minutes(5))
)
struct CouncilCommandTests {
    /// A node and the keys of three people.
    private struct World {
        let node: EthereumTestNode
        let folder: TemporaryFolder

        static func start() async throws -> World {
            let folder = try TemporaryFolder(named: "apus-council")
            let node = try await EthereumTestNode.start(errorLog: folder.path + "/node.log")
            let world = World(node: node, folder: folder)
            for (index, key) in node.keys.prefix(3).enumerated() {
                try key.write(toFile: world.keyFile(index), atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: world.keyFile(index))
            }
            return world
        }

        func keyFile(_ person: Int) -> String { "\(folder.path)/key\(person)" }

        func council(
            _ arguments: String...,
            key: Int? = nil,
            at council: String? = nil,
            environment: [String: String] = [:]
        ) async throws -> CommandResult {
            var all = [try #require(Peers.apus), "council"] + arguments + ["--rpc", node.urls.first ?? ""]
            if let key { all += ["--key-file", keyFile(key)] }
            if let council { all += ["--council", council] }
            return try await run(
                all,
                environment: ChildProcess.plainEnvironment.merging(environment) { $1 },
                within: .seconds(120)
            )
        }

        func stop() async { await node.stop() }
    }

    private func withWorld(_ body: (World) async throws -> Void) async throws {
        let world = try await World.start()
        do {
            try await body(world)
            await world.stop()
        } catch {
            await world.stop()
            throw error
        }
    }

    @Test func `a council is made, governed and remembered`() async throws {
        try await withWorld { world in
            let member = world.node.addresses[1]
            let steps = try await world.council(
                "deploy",
                "--json",
                "--registrar",
                member,
                "--execution-delay",
                "0",
                "--minimum-duration",
                "60",
                key: 0
            ).orThrow().lines.compactMap { JSONValue(parsing: $0) }
            let council = try #require(steps.first?["address"]?.string)
            let done = try #require(steps.last)
            #expect(done["step"] == "done")
            #expect(done["codeIsKnown"] == true)
            #expect(done["storages"]?.array?.count == 1)
            let firstLogic = try #require(done["logic"]?.string)

            // A second member gets a majority and proposes a new logic.
            _ = try await world.council("delegate", member, "600000", key: 0, at: council).orThrow()
            let made = try await world.council("propose", "select-logic", "--json", key: 1, at: council).orThrow()
            let proposal = try #require(JSONValue(parsing: made.output.trimmingCharacters(in: .newlines)))
            let payload = try #require(proposal["payload"]?.string)
            let shown = try await world.council("show", at: council).orThrow().output
            #expect(shown.contains("Selects the logic"))
            #expect(shown.contains("It is the registrar logic that this program came with"))
            #expect(shown.contains("Its hash, computed here: \(payload)"))
            #expect(shown.contains("600000  60.0 %"))

            let other = try await world.council(
                "vote",
                "yes",
                "--payload",
                String(repeating: "0", count: 64),
                key: 0,
                at: council
            )
            #expect(other.exit == .code(1))
            let early = try await world.council("execute", key: 0, at: council)
            #expect(early.exit == .code(3))
            let no = try await world.council("vote", "no", "--json", key: 0, at: council).orThrow()
            #expect(no.output.contains(payload))
            let key = try String(contentsOfFile: world.keyFile(1), encoding: .utf8)
            _ = try await world.council("vote", "yes", at: council, environment: ["APUS_COUNCIL_KEY": key]).orThrow()
            let again = try await world.council("vote", "yes", key: 1, at: council)
            #expect(again.exit == .code(1))
            #expect(again.error.contains("Voting on this proposal has ended"))
            _ = try await world.council("execute", key: 2, at: council).orThrow()

            let state = try await world.council("show", "--json", at: council).orThrow().output
            let after = try #require(JSONValue(parsing: state.trimmingCharacters(in: .newlines)))
            #expect(after["logic"] == proposal["target"])
            #expect(after["logic"]?.string != firstLogic)
            #expect(after["proposal"] == .null)
            #expect(after["members"]?.array?.map { $0["stake"] } == [600_000, 400_000])
            let history = try await world.council("history", "--json", at: council).orThrow().output
            let past = try #require(JSONValue(parsing: history.trimmingCharacters(in: .newlines))?["proposals"]?.array)
            #expect(past.map { $0["outcome"] } == ["executed", "executed", "executed", "executed"])
            #expect(past.last?["votes"]?.array?.map { $0["support"] } == [false, true])
            #expect(past.last?["payload"]?.string == payload)
        }
    }

    @Test func `its proposer takes a proposal back, and anybody closes an expired one`() async throws {
        try await withWorld { world in
            let deployed = try await world.council(
                "deploy",
                "--json",
                "--execution-delay",
                "0",
                "--minimum-duration",
                "60",
                "--cooldown",
                "3600",
                key: 0
            ).orThrow().lines.compactMap { JSONValue(parsing: $0) }
            let council = try #require(deployed.first?["address"]?.string)
            _ = try await world.council("delegate", world.node.addresses[1], "400000", key: 0, at: council).orThrow()
            func isOpen() async throws -> Bool {
                let state = try await world.council("show", "--json", at: council).orThrow().output
                return JSONValue(parsing: state.trimmingCharacters(in: .newlines))?["proposal"] != .null
            }
            func pass(seconds: Int64) async throws {
                try await world.node.call("test_advanceTime", [.integer(seconds)])
                try await world.node.call("test_mine")
            }

            let nothing = try await world.council("withdraw", key: 0, at: council)
            #expect(nothing.exit == .code(2))
            #expect(nothing.error.contains("There is no proposal"))
            #expect(try await world.council("close", key: 0, at: council).exit == .code(2))

            // Taken back.
            _ = try await world.council("propose", "freeze", key: 0, at: council).orThrow()
            let stranger = try await world.council("withdraw", key: 1, at: council)
            #expect(stranger.exit == .code(1))
            #expect(stranger.error.contains("Only its proposer can withdraw"))
            let early = try await world.council("close", key: 1, at: council)
            #expect(early.exit == .code(3))
            #expect(early.error.contains("has not expired"))
            #expect(try await isOpen())
            let withdrawn = try await world.council("withdraw", "--json", key: 0, at: council).orThrow()
            let report = try #require(JSONValue(parsing: withdrawn.output.trimmingCharacters(in: .newlines)))
            #expect(report["transaction"]?.string?.count == 66)
            #expect(try await !isOpen())
            let again = try await world.council("propose", "freeze", key: 0, at: council)
            #expect(again.exit == .code(3))
            #expect(again.error.contains("you have to wait"))

            // Nobody votes in time.
            _ = try await world.council("propose", "mode", "commitments", "--duration", "60", key: 1, at: council)
                .orThrow()
            try await pass(seconds: 61)
            let closed = try await world.council("close", key: 2, at: council).orThrow()
            #expect(closed.output.contains("The expired proposal is closed."))
            #expect(try await !isOpen())

            // It passes, and nobody executes it in time.
            try await pass(seconds: 3_600)
            _ = try await world.council("propose", "import", "open", key: 0, at: council).orThrow()
            _ = try await world.council("vote", "yes", key: 0, at: council).orThrow()
            let late = try await world.council("withdraw", key: 0, at: council)
            #expect(late.exit == .code(1))
            #expect(late.error.contains("has passed and cannot be withdrawn"))
            #expect(try await world.council("close", key: 0, at: council).exit == .code(3))
            try await pass(seconds: 14 * 86_400)
            _ = try await world.council("close", key: 2, at: council).orThrow()
            let history = try await world.council("history", "--json", at: council).orThrow().output
            let past = try #require(JSONValue(parsing: history.trimmingCharacters(in: .newlines))?["proposals"]?.array)
            #expect(past.suffix(3).map { $0["outcome"] } == ["withdrawn", "expired", "expired"])
        }
    }

    @Test func `what cannot be told in full is not voted on`() async throws {
        try await withWorld { world in
            let steps = try await world.council(
                "deploy",
                "--json",
                "--execution-delay",
                "0",
                "--minimum-duration",
                "60",
                key: 0
            ).orThrow().lines.compactMap { JSONValue(parsing: $0) }
            let council = try #require(steps.first?["address"]?.string)
            // The council itself is a contract, and no logic.
            let refused = try await world.council("propose", "select-logic", council, key: 0, at: council)
            #expect(refused.exit == .code(9))
            let words = refused.error.split(separator: " ")
            let flag = try #require(words.firstIndex(of: "--code-hash"))
            let hash = words[words.index(after: flag)].trimmingCharacters(in: .whitespacesAndNewlines)
            _ = try await world.council("propose", "select-logic", council, "--code-hash", hash, key: 0, at: council)
                .orThrow()
            let vote = try await world.council("vote", "yes", key: 0, at: council)
            #expect(vote.exit == .code(9))
            #expect(vote.error.contains("did not come with this program"))
            let state = try await world.council("show", "--json", at: council).orThrow().output
            let proposal = JSONValue(parsing: state.trimmingCharacters(in: .newlines))?["proposal"]
            #expect(proposal?["objections"] == ["unknownCode"])
            #expect(proposal?["yes"] == 0)
            _ = try await world.council("vote", "no", "--code-hash", hash, key: 0, at: council).orThrow()
            let history = try await world.council("history", at: council).orThrow().output
            #expect(history.contains("rejected"))
            #expect(try await world.council("vote", "yes", key: 0, at: council).exit == .code(2))
        }
    }

    @Test func `keys that others may read, wrong chains and missing contracts are refused`() async throws {
        try await withWorld { world in
            let council = world.node.addresses[1]
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: world.keyFile(0))
            let readable = try await world.council("delegate", council, "1", key: 0, at: council)
            #expect(readable.exit == .code(1))
            #expect(readable.error.contains("chmod 600"))
            try "not a key".write(toFile: world.keyFile(1), atomically: false, encoding: .utf8)
            let broken = try await world.council("delegate", council, "1", key: 1, at: council)
            #expect(broken.exit == .code(1))
            #expect(!broken.error.contains("not a key"))
            #expect(try await world.council("delegate", council, "1", at: council).exit == .code(64))
            #expect(try await world.council("show", at: council).exit == .code(2))
            #expect(try await world.council("show", "--chain-id", "1", at: council).exit == .code(1))
            let mistyped = String(council.dropLast()) + (council.hasSuffix("0") ? "1" : "0")
            #expect(try await world.council("show", at: "0x" + mistyped.dropFirst(4)).exit == .code(64))
        }
    }

    @Test func `a node that nobody runs is said to be out of reach`() async throws {
        let apus = try #require(Peers.apus)
        let council = "0x" + String(repeating: "1", count: 40)
        let result = try await run([apus, "council", "show", "--rpc", "http://127.0.0.1:1", "--council", council])
        #expect(result.exit == .code(69))
        #expect(result.error.contains("No chain node could be reached"))
    }
}
