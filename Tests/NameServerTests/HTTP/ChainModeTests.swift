import Ethereum
import Keys
import NameRegistry
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import NameServer

/// When a registration is acknowledged, and what only a server with a chain answers.
@Suite struct ChainModeTests {
    private static let success = #"{"success":true}"#

    @Test func `in shadow mode a durable registration is acknowledged, and the chain hears of it`() async throws {
        let chain = ChainDouble()
        chain.change { $0.stall = "no block for a long time" }
        try await TestServer.run(mode: .shadow, chain: chain) { server in
            let answer = try await server.post(Person.ana, "alice")
            #expect(answer.body == Self.success)
            #expect(chain.script.withLock { $0.growth } == 1)
            let outbox = try await server.store.read { try $0.outbox(in: [.queued], limit: 9).count }
            #expect(outbox == 1)
        }
    }

    @Test(arguments: [ServerMode.dual, .chain])
    func `a registration that is not on the chain is not acknowledged, its repetition is once it is`(
        mode: ServerMode
    ) async throws {
        let chain = ChainDouble()
        var options = TestServer.unlimited
        options.inclusionPatience = .milliseconds(100)
        try await TestServer.run(options: options, mode: mode, chain: chain) { server in
            let held = try await server.post(Person.ana, "alice")
            #expect(held.status == 503)
            #expect(held.header("Retry-After") != nil)
            chain.change { $0.inclusion = .included(block: 7) }
            let repeated = try await server.post(Person.ana, "alice")
            #expect(repeated.body == Self.success)
            #expect(try await server.post(Person.ben, "alice").status == 403)
        }
    }

    @Test func `while the chain stands still nothing new is acknowledged or stored, and look-ups go on`() async throws {
        let chain = ChainDouble()
        chain.change { $0.inclusion = .included(block: 7) }
        try await TestServer.run(mode: .dual, chain: chain) { server in
            #expect(try await server.post(Person.ana, "alice").status == 200)
            let name = try Person.ana.registration(of: "alice").name
            try await server.store.write { try $0.setState(.included, block: 7, of: name) }
            chain.change { $0.stall = "no block for 60 s" }
            let refused = try await server.post(Person.ben, "bobby")
            #expect(refused.status == 503)
            #expect(refused.body == #"{"success":false,"error":"no block for 60 s"}"#)
            #expect(try await server.get("/name/bobby").status == 404)
            #expect(try await server.post(Person.ana, "alice").body == Self.success)
            #expect(try await server.get("/name/alice").body.hasSuffix(#","state":"included"}"#))
            let status = try await server.get("/v2/status")
            #expect(status.body.contains(#""stalled":true,"stall":"no block for 60 s""#))
            #expect(status.body.contains(#""mode":"dual","chainId":"0x60f""#))
        }
    }

    @Test func `a conflict on the chain is a taken name`() async throws {
        let chain = ChainDouble()
        let other = NameRecord(try Person.ben.registration(of: "alice"))
        chain.change { $0.inclusion = .conflict(other) }
        try await TestServer.run(mode: .dual, chain: chain) { server in
            let answer = try await server.post(Person.ana, "alice")
            #expect(answer.status == 403)
            #expect(answer.body.contains(#""addr":"\#(Person.ben.address)""#))
        }
    }

    @Test func `evidence that no contract takes is not sent to the chain`() {
        func fits(_ key: Int, _ signature: Int) -> Bool {
            let (key, signature) = ([UInt8](repeating: 1, count: key), [UInt8](repeating: 1, count: signature))
            return NameService.fitsContract(NameEvidence(publicKey: key, signature: signature))
        }
        #expect(NameService.fitsContract(nil))
        #expect(fits(1_024, 1_024))
        #expect(!fits(1_025, 512))
        #expect(!fits(550, 1_025))
    }

    @Test func `what needs a chain is refused honestly without one`() async throws {
        try await TestServer.run { server in
            for target in ["/v2/name/alice/proof", "/v2/addr/\(Person.ana.address)/proof"] {
                let answer = try await server.get(target)
                #expect(answer.status == 409)
                #expect(answer.body.hasPrefix(#"{"error":"noChain","message":"#))
            }
            for target in ["/v2/commit", "/v2/name/alice", "/v2/name/alice/release"] {
                #expect(try await server.post(target, "{}").status == 409, "\(target)")
            }
        }
    }

    @Test func `proofs, commitments, reveals and owners' wishes go to the chain`() async throws {
        let chain = ChainDouble()
        try await TestServer.run(mode: .chain, chain: chain) { server in
            #expect(try await server.get("/v2/name/ALICE/proof?block=5").body == #"{"name":"alice","block":5}"#)
            #expect(try await server.get("/v2/name/x/proof").status == 400)
            let account = Person.ana.account
            let answer = try await server.get("/v2/addr/\(Person.ana.address)/proof")
            #expect(answer.body == #"{"account":"\#(account)","block":0}"#)

            let word = Word(77).hex
            let committed = try await server.post("/v2/commit", #"{"commitment":"\#(word)"}"#)
            #expect(committed.status == 202)
            #expect(committed.body == #"{"tx":"\#(Word(1).hex)"}"#)

            let evidence = try #require(try Person.ana.registration(of: "alice").evidence)
            let record =
                #""addr":"\#(Person.ana.address)","publicKey":"\#(Base64.encode(evidence.publicKey))","#
                + #""signature":"\#(evidence.signatureText)""#
            let reveal = #"{\#(record),"owner":"\#(Person.ana.owner.hex)","secret":"\#(word)"}"#
            let revealed = try await server.post("/v2/name/alice", reveal)
            #expect(revealed.body == #"{"state":"sent"}"#)
            #expect(try await server.post("/v2/name/other", reveal).status == 400)

            let signed = #""deadline":1800000000,"ownerSignature":"0x\#(String(repeating: "11", count: 65))""#
            for (path, body) in [
                ("transfer", #"{"owner":"\#(Person.ben.owner.hex)",\#(signed)}"#), ("release", "{\(signed)}"),
                ("address", "{\(record),\(signed)}"),
            ] {
                let relayed = try await server.post("/v2/name/alice/\(path)", body)
                #expect(relayed.status == 202, "\(path)")
                #expect(try await server.post("/v2/name/alice/\(path)", "{}").status == 400, "\(path)")
            }
            let kinds = chain.script.withLock { $0.relayed.map(\.change) }
            #expect(kinds == [.transfer(to: Person.ben.owner), .release, .address(Person.ana.account, evidence)])

            chain.change { $0.failure = .unavailable(reason: "no node answers") }
            #expect(try await server.get("/v2/name/alice/proof").status == 503)
            chain.change { $0.failure = .refused(code: "tooYoung", reason: "The commitment is too young.") }
            let refused = try await server.post("/v2/name/alice", reveal)
            #expect(refused.status == 409)
            #expect(refused.body == #"{"error":"tooYoung","message":"The commitment is too young."}"#)
            chain.change { $0.failure = .unknownBlock }
            #expect(try await server.get("/v2/name/alice/proof?block=1").status == 404)
        }
    }
}
