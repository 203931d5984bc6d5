import JSON
import TestSupport
import Testing

extension InteropTests {
    /// Apus and a real Jami daemon, which find each other by name.
    @Suite(.needs(Peers.missingForInterop)) struct NameInteropTests {
        @Test(.timeLimit(.minutes(6)))
        func `Apus and Jami find each other by the names that each has registered`() async throws {
            try await withNetwork(named: "named") { lab, bootstrap in
                let server = try await NameServerPeer.start(on: lab.host("server"), in: lab)
                let jami = try await JamiPeer.start(on: lab.host("jami"), in: lab)
                let ben = try await jami.newAccount(
                    alias: "ben",
                    bootstrap: bootstrap,
                    details: ["RingNS.uri": server.url]
                )
                #expect(try await jami.register("Ben_J", of: ben) == .registered)

                let apus = try await ApusPeer(on: lab.host("apus"), in: lab, bootstrap: bootstrap)
                try await apus.startDaemon()
                let ana = try await apus.newAccount(alias: "ana", password: "secret")
                _ = try await apus.run(["account", "set", "--name-server", server.url]).orThrow()
                let locked = try await apus.run(["name", "register", "ana_a"])
                #expect(!locked.succeeded)
                let register = ["name", "register", "Ana_A", "--password-fd", "0"]
                let registered = JSONValue(parsing: try await apus.run(register, input: "secret").orThrow().output)
                #expect(registered?["state"] == "registered" && registered?["name"] == "ana_a")
                let taken = try await apus.run(["name", "register", "ben_j", "--password-fd", "0"], input: "secret")
                #expect(JSONValue(parsing: taken.output)?["state"] == "taken")

                let found = try await jami.lookUp(name: "ana_a", of: ben)
                #expect(found == JamiPeer.LookUp(.found, address: ana.id, name: "ana_a"))
                let named = try await jami.lookUp(address: ana.id, of: ben)
                #expect(named == JamiPeer.LookUp(.found, address: ana.id, name: "ana_a"))

                let lookup = JSONValue(parsing: try await apus.run(["name", "lookup", "BEN_J"]).orThrow().output)
                #expect(lookup?["account"]?.string == ben.id && lookup?["assurance"] == "signed")
                let whois = JSONValue(parsing: try await apus.run(["name", "whois", ben.id]).orThrow().output)
                #expect(whois?["name"] == "ben_j")
                let contact = JSONValue(parsing: try await apus.run(["contact", "add", "ben_j"]).orThrow().output)
                #expect(contact?["contact"]?.string == ben.id && contact?["name"] == "ben_j")
                // The pinned name needs no server.
                await server.stop()
                try await apus.send("by name", to: "ben_j")
                let nobody = try await apus.run(["name", "lookup", "ana_a", "--server", server.url])
                #expect(!nobody.succeeded)
                await apus.close()
                jami.kill()
            }
        }
    }
}
