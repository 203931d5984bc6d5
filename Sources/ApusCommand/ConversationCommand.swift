import Apus
import ArgumentParser
import ControlAPI
import Foundation
import JSON

/// Conversations as histories.
struct ConversationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conversation",
        abstract: "Look at conversations and export them.",
        subcommands: [List.self, History.self, Export.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List conversations.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let client = try await options.client()
            let result = try await client.call("conversation.list", options.parameters())
            if options.json {
                Output.say(JSONValue.object(["conversations": result]).line)
                return
            }
            for contact in try result.decode([ContactInfo].self) {
                Output.say(
                    "\(contact.conversation)  \(contact.alias.isEmpty ? contact.id : Output.safe(contact.alias))"
                )
            }
        }
    }

    struct History: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the commits of a conversation, newest first.")

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The conversation: 40 hexadecimal digits.")
        var conversation: String

        @Option(help: "At most this many.")
        var limit: Int?

        func run() async throws {
            let client = try await options.client()
            var members: [String: JSONValue] = ["conversation": .string(conversation)]
            if let limit { members["limit"] = .integer(Int64(limit)) }
            let entries = try await client.call("conversation.history", options.parameters(members))
                .decode([HistoryEntry].self)
            for entry in entries {
                if options.json {
                    Output.say(try JSONValue(encoding: entry).line)
                } else {
                    let author = entry.author.isEmpty ? "" : Output.short(entry.author)
                    Output.say(
                        "\(entry.id)  \(Output.time(entry.time * 1000))  \(author)  \(entry.type)  \(Output.safe(entry.body))"
                    )
                }
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Write a conversation as a bare git repository.")

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The conversation: 40 hexadecimal digits.")
        var conversation: String

        @Argument(help: "The folder to make.")
        var folder: String

        func run() async throws {
            let client = try await options.client()
            let path = URL(fileURLWithPath: folder).standardizedFileURL.path
            let params = options.parameters(["conversation": .string(conversation), "folder": .string(path)])
            _ = try await client.call("conversation.export", params)
            Output.line(
                "Written to \(path). Look at it with: git -C \(path) log",
                json: ["folder": .string(path)],
                options
            )
        }
    }
}
