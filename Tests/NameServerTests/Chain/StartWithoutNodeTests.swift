import JSON
import Keys
import NameServer
import TestSupport
import Testing

/// A server that has known its registry starts also when no node of the chain answers.
@Suite(
    .enabled(if: Peers.missingForEthereum == nil && Peers.apus != nil, "the tools of the contracts are missing"),
    .timeLimit(.minutes(3)),
    .takingTurns
)
struct StartWithoutNodeTests {
    @Test(arguments: ServerMode.allCases.filter(\.usesChain))
    func `names are served without a node, and what waits goes on with one`(mode: ServerMode) async throws {
        let served = try await ServedRegistry.onOneNode(mode)
        var server = try await served.server()
        try await eventually(within: .seconds(60), "the early name is registered") {
            await server.register("early", Person.ana.account) == 200 ? () : nil
        }
        try await eventually(within: .seconds(60), "the early name is final") {
            await server.get("/v2/name/early").body["state"]?.string == "final" ? () : nil
        }
        await server.stop()

        // Nobody listens at port 1.
        let silent = zip(served.chain, [""] + served.chain).map { $1 == "--rpc" ? "http://127.0.0.1:1" : $0 }
        server = try await ServerProcess.start(["--mode", mode.rawValue] + silent, folder: served.data)
        #expect(await server.get("/name/early").body["addr"]?.string == "0x" + Person.ana.account.hex)
        let status = await server.get("/v2/status")
        #expect(status.body["stalled"] == true)
        let answer = await server.register("late", Person.ben.account)
        #expect(answer == (mode.awaitsInclusion ? 503 : 200))
        await server.stop()

        server = try await served.server()
        try await eventually(within: .seconds(60), "the late name is registered") {
            await server.register("late", Person.ben.account) == 200 ? () : nil
        }
        try await eventually(within: .seconds(60), "the late name is on the chain") {
            await server.get("/v2/name/late").body["state"]?.string == "final" ? () : nil
        }
        await server.stop()
        await served.network.stop()
    }
}
