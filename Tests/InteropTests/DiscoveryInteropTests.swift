import Foundation
import JSON
import TestSupport
import Testing

extension InteropTests {
    /// Nodes on one cable that know no address to start from.
    @Suite(.needs(Peers.missingForApus)) struct DiscoveryTests {
        enum Family: CaseIterable, Sendable {
            case ipv4, ipv6
        }

        /// Two machines that reach each other by one family alone.
        private func hosts(in lab: NetworkLab, _ family: Family) async throws -> [NetworkLab.Host] {
            let hosts = [try await lab.host("one"), try await lab.host("two")]
            guard family == .ipv6 else { return hosts }
            for (number, host) in hosts.enumerated() {
                for name in ["all", "eth0"] {
                    _ = try await run(host.command(["sysctl", "-qw", "net.ipv6.conf.\(name).disable_ipv6=0"])).orThrow()
                }
                for command in [
                    ["addr", "flush", "dev", "eth0"],
                    ["-6", "addr", "add", "fd77::\(number + 1)/64", "dev", "eth0", "nodad"],
                    ["-6", "route", "add", "default", "dev", "eth0"],
                ] {
                    _ = try await run(host.command(["ip"] + command)).orThrow()
                }
            }
            return hosts
        }

        private func dht(_ arguments: [String], on host: NetworkLab.Host) async throws -> CommandResult {
            try await run(host.command([Peers.apus ?? "", "dht"] + arguments + ["--bootstrap", "none"]))
        }

        /// A `dhtnode` that looks for others and is found, and what it says.
        private func dhtnode(on host: NetworkLab.Host, _ said: Mailbox<String>) throws -> ChildProcess {
            try ChildProcess(
                host.command(["stdbuf", "-oL", "dhtnode", "-D", "-p", "4222"]),
                hasInput: true,
                output: .lines { said.post($0) }
            )
        }

        @Test(.timeLimit(.minutes(2)), arguments: Family.allCases)
        func `a node that is there already is found`(family: Family) async throws {
            let lab = try await NetworkLab.make(named: "disc")
            let hosts = try await hosts(in: lab, family)
            let said = Mailbox<String>()
            let peer = try dhtnode(on: hosts[0], said)
            _ = try await eventually(within: .seconds(30), "dhtnode runs") {
                said.all.contains { $0.contains("running on port") } ? () : nil
            }
            let stored = try await dht(["put", "ours", "from-us"], on: hosts[1])
            #expect(stored.succeeded, "\(stored.error)")
            _ = try await eventually(within: .seconds(30), every: .seconds(1), "dhtnode has the value") {
                peer.send("g ours")
                return said.all.contains { $0.contains("from-us") } ? () : nil
            }
            await peer.stop()
            await lab.close()
        }

        @Test(.timeLimit(.minutes(2)), arguments: Family.allCases)
        func `a node that comes later finds ours`(family: Family) async throws {
            let lab = try await NetworkLab.make(named: "disc")
            let hosts = try await hosts(in: lab, family)
            let events = Mailbox<String>()
            let ours = try ChildProcess(
                hosts[0].command([Peers.apus ?? "", "dht", "node", "--json", "--bootstrap", "none"]),
                output: .lines { events.post($0) }
            )
            _ = try await eventually(within: .seconds(30), "our node runs") {
                events.all.contains { $0.contains("\"ready\"") } ? () : nil
            }
            let said = Mailbox<String>()
            let peer = try dhtnode(on: hosts[1], said)
            _ = try await eventually(within: .seconds(30), "our node is connected") {
                events.all.contains { $0.contains("\"connected\"") } ? () : nil
            }
            _ = try await eventually(within: .seconds(30), every: .seconds(1), "dhtnode puts a value") {
                peer.send("p theirs from-them")
                return said.all.contains { $0.contains("Put: success") } ? () : nil
            }
            let found = try await dht(["get", "theirs"], on: hosts[0])
            #expect(found.output.contains("  from-them\n"), "\(found.error)")
            await peer.stop()
            await ours.stop()
            await lab.close()
        }

        @Test(.timeLimit(.minutes(2)))
        func `several nodes of one machine find each other beside a dhtnode`() async throws {
            let lab = try await NetworkLab.make(named: "disc")
            let host = try await lab.host("one")
            let said = Mailbox<String>()
            let peer = try dhtnode(on: host, said)
            _ = try await eventually(within: .seconds(30), "dhtnode runs") {
                said.all.contains { $0.contains("running on port") } ? () : nil
            }
            for number in 0..<3 {
                let stored = try await dht(["put", "key \(number)", "value \(number)"], on: host)
                #expect(stored.succeeded, "\(stored.error)")
            }
            let found = try await dht(["get", "key 1"], on: host)
            #expect(found.output.contains("  value 1\n"))
            await peer.stop()
            await lab.close()
        }
    }
}
