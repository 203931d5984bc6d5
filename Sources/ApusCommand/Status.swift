import Apus
import ArgumentParser
import ControlAPI
import JSON

/// How everything does.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show how the daemon and the accounts do.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let client = try await options.client()
        let hello = try await client.call("daemon.hello")
        let statuses = try await client.call("status.get").decode([AccountStatus].self)
        if options.json {
            let accounts = statuses.map { status in
                JSONValue.object([
                    "account": .string(status.account.account),
                    "id": .string(status.account.id),
                    "device": .string(status.account.device),
                    "alias": .string(status.account.alias),
                    "state": .string(status.account.state.rawValue),
                    "name": status.account.registeredName.map { .string($0) } ?? .null,
                    "name_server": .string(status.account.nameServer),
                    "dht": .string(status.dht),
                    "devices_announced": .boolean(status.announced),
                    "contacts": .integer(Int64(status.contacts)),
                    "outbox": .integer(Int64(status.outbox)),
                    "connections": .integer(Int64(status.connections)),
                ])
            }
            Output.say(JSONValue.object(["daemon": hello, "accounts": .array(accounts)]).line)
            return
        }
        Output.say("The daemon runs as process \(hello["pid"]?.integer ?? 0) since \(hello["uptime"]?.integer ?? 0) s.")
        if statuses.isEmpty { Output.say("There is no account yet. Make one with: apus account new --alias NAME") }
        for status in statuses {
            Output.say("\(status.account.alias)  \(status.account.id)")
            if let name = status.account.registeredName { Output.say("  Registered as “\(name)”") }
            Output.say("  \(Self.sentence(for: status))")
            Output.say("  \(status.contacts) contacts, \(status.connections) open connections")
            if status.outbox > 0 { Output.say("  \(status.outbox) messages wait for their readers to come online") }
        }
    }

    private static func sentence(for status: AccountStatus) -> String {
        switch status.account.state {
        case .online: "Online: contacts find you."
        case .starting: "Joining the network (\(status.dht))…"
        case .offline: "Offline: no node of the network answers. Check the connection, or name a node with --bootstrap."
        }
    }
}
