import Foundation
import JSON
import TestSupport
import Testing

extension InteropTests {
    /// A real Jami daemon with our name server.
    @Suite(.needs(Peers.missingForInterop)) struct NameServerInteropTests {
        @Test(.timeLimit(.minutes(6)))
        func `a Jami daemon registers names at our server and looks them up, with every status`() async throws {
            try await withNetwork(named: "names") { lab, bootstrap in
                let host = try await lab.host("server")
                var server = try await NameServerPeer.start(on: host, in: lab)
                let jami = try await JamiPeer.start(on: lab.host("jami"), in: lab)
                let uri = ["RingNS.uri": server.url]
                let alice = try await jami.newAccount(alias: "alice", bootstrap: bootstrap, details: uri)
                let locked = try await jami.newAccount(
                    alias: "locked",
                    bootstrap: bootstrap,
                    details: uri.merging(["Account.archivePassword": "secret"]) { _, last in last }
                )
                try await Self.registers(jami, alice: alice, locked: locked)
                try await Self.looksUp(jami, at: server, alice: alice, locked: locked)
                try await Self.forgetsAndRepeats(jami, alice: alice, locked: locked)
                try await Self.forge("forged", from: "alice_one-9", in: server.folder)
                let invalid = try await jami.lookUp(name: "forged", of: alice)
                #expect(invalid == JamiPeer.LookUp(.invalid, address: "", name: "forged"))

                #expect(await server.stop())
                server = try await NameServerPeer.start(
                    on: host,
                    in: lab,
                    arguments: ["--look-ups-per-second", "0.000001", "--registrations-per-minute", "0.000001"]
                )
                #expect(try await jami.lookUp(name: "stranger", of: alice).status == .error)
                #expect(try await jami.lookUp(address: Self.stranger, of: alice).status == .error)
                #expect(try await jami.register("latecomer", of: alice) == .error)
                #expect(await server.stop())
                #expect(try await jami.lookUp(name: "stranger", of: alice).status == .error)
                #expect(try await jami.register("latecomer", of: alice) == .error)
                jami.kill()
            }
        }

        private static let stranger = String(repeating: "ab", count: 20)

        private static func registers(
            _ jami: JamiPeer,
            alice: JamiPeer.Account,
            locked: JamiPeer.Account
        ) async throws {
            #expect(try await jami.register("a b", of: alice) == .invalidName)
            #expect(try await jami.register("Alice_One-9", of: alice) == .registered)
            #expect(try await jami.register("locked", password: "wrong", of: locked) == .wrongPassword)
            #expect(try await jami.register("alice_one-9", password: "secret", of: locked) == .taken)
            #expect(try await jami.register("locked", password: "secret", of: locked) == .registered)
            // One account has one name.
            #expect(try await jami.register("second", of: alice) == .taken)
        }

        private static func looksUp(
            _ jami: JamiPeer,
            at server: NameServerPeer,
            alice: JamiPeer.Account,
            locked: JamiPeer.Account
        ) async throws {
            let found = try await jami.lookUp(name: "alice_one-9", of: locked)
            #expect(found == JamiPeer.LookUp(.found, address: alice.id, name: "alice_one-9"))
            #expect(try await jami.lookUp(name: "nobody", of: alice).status == .notFound)
            let authority = server.url.replacing("http://", with: "")
            #expect(try await jami.lookUp(name: "nobody@\(authority)", of: alice).status == .notFound)
            #expect(try await jami.lookUp(address: Self.stranger, of: alice).status == .notFound)
            #expect(try await jami.lookUp(address: "====", of: alice).status == .notFound)
            let reverse = try await jami.lookUp(address: alice.id, of: locked)
            #expect(reverse == JamiPeer.LookUp(.found, address: alice.id, name: "alice_one-9"))
        }

        /// A daemon without its cache asks the server for everything again.
        private static func forgetsAndRepeats(
            _ jami: JamiPeer,
            alice: JamiPeer.Account,
            locked: JamiPeer.Account
        ) async throws {
            jami.kill()
            try jami.forgetNames()
            try await jami.startAgain()
            try await jami.waitUntilAnnounced(alice)
            #expect(try await jami.register("alice_one-9", of: alice) == .registered)
            let reverse = try await jami.lookUp(address: "jami:\(alice.id)", of: alice)
            #expect(reverse.status == .found)
        }

        /// Puts a name with another one's evidence into the store, as no request could.
        private static func forge(_ name: String, from known: String, in folder: String) async throws {
            let script = """
                import sqlite3, sys
                store = sqlite3.connect(sys.argv[1], timeout=20)
                store.execute("INSERT INTO names SELECT ?, randomblob(20), owner, evidence, status, state, block, created, "
                              "evidence_id FROM names WHERE name = ?", sys.argv[2:])
                store.commit()
                """
            let command = ["/usr/bin/python3", "-c", script, "\(folder)/names.sqlite", name, known]
            _ = try await run(command).orThrow()
        }
    }
}
