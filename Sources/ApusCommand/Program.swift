import ArgumentParser
import Foundation

/// The command `apus`.
@main
struct Program: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "Talk to people, device to device, without a server.",
        discussion: """
            Commands talk to a daemon of yours, which they start when it is not running. It keeps you reachable, sends \
            what waits and receives what comes. Started without a command, apus makes your first account.

            Exit codes: 0 done; 1 refused, with the reason; 2 no such account, contact or conversation, or nothing \
            found; 3 not yet, try again later; 6 a name is taken; 7 a name server was caught lying; 8 nothing is \
            proved; 64 the command was not understood; 69 the daemon cannot be reached.
            """,
        version: "0.1.0",
        subcommands: [
            Welcome.self, AccountCommand.self, ContactCommand.self, Send.self, Inbox.self, Chat.self,
            ConversationCommand.self, NameCommand.self, Status.self, DaemonCommand.self, DHTCommand.self,
            NamesCommand.self, Demo.self,
        ],
        defaultSubcommand: Welcome.self
    )

    private static var commandNames: [String] {
        var names = ["help"]
        for command in configuration.subcommands {
            names.append(command.configuration.commandName ?? String(describing: command).lowercased())
        }
        return names
    }

    static func main() async {
        do {
            let given = Array(CommandLine.arguments.dropFirst())
            let arguments = try ArgumentOrder.commandFirst(given, commands: commandNames)
            var command = try parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.exit(with: error)
        }
    }
}
