import Apus
import ArgumentParser
import ControlAPI
import JSON

/// The people whom an account knows.
struct ContactCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contact",
        abstract: "Invite people, accept invitations, list contacts.",
        subcommands: [Add.self, List.self, Accept.self]
    )

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Invite somebody by their identifier or registered name.",
            discussion: """
                You can write at once; messages are kept until they accept and are online. A name stays bound to the \
                contact that it led to when you added them, whatever the name server says later.
                """
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "Their identifier (40 hexadecimal digits), their NAME, or NAME@SERVER.")
        var id: String

        @Option(help: "What you call them.")
        var alias: String?

        @Flag(help: "Add somebody by a name that they have not signed.")
        var acceptUnsigned = false

        func run() async throws {
            let client = try await options.client()
            var members: [String: JSONValue] = ["id": .string(id), "acceptUnsigned": .boolean(acceptUnsigned)]
            if let alias { members["alias"] = .string(alias) }
            let contact = try await client.call("contact.add", options.parameters(members)).decode(ContactInfo.self)
            let whom = contact.name.map { "“\($0)” is \(contact.id), \(contact.nameAssurance ?? "unsigned"). " } ?? ""
            var result: [String: JSONValue] = [
                "contact": .string(contact.id), "conversation": .string(contact.conversation),
            ]
            if let name = contact.name {
                result["name"] = .string(name)
                result["assurance"] = .string(contact.nameAssurance ?? "")
            }
            Output.line(
                contact.state == .invited
                    ? whom + "Invited. They are asked whenever they are online, until they answer."
                    : whom + "\(contact.id) is your contact.",
                json: result,
                options
            )
        }
    }

    struct Accept: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Accept an invitation.")

        @OptionGroup var options: GlobalOptions

        @Argument(help: "Who invited you: their identifier or name, as the list of contacts shows it.")
        var id: String

        @Option(help: "What you call them (default: the name that they gave).")
        var alias: String?

        func run() async throws {
            let client = try await options.client()
            var members: [String: JSONValue] = ["id": .string(id)]
            if let alias { members["alias"] = .string(alias) }
            let contact = try await client.call("contact.accept", options.parameters(members)).decode(ContactInfo.self)
            Output.line(
                "Accepted. The conversation is fetched from them as soon as they are online.",
                json: ["contact": .string(contact.id), "conversation": .string(contact.conversation)],
                options
            )
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List contacts and invitations.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let client = try await options.client()
            let result = try await client.call("contact.list", options.parameters())
            if options.json {
                Output.say(JSONValue.object(["contacts": result]).line)
                return
            }
            let contacts = try result.decode([ContactInfo].self)
            if contacts.isEmpty {
                Output.say("You have no contacts yet. Invite somebody with: apus contact add NAME-OR-IDENTIFIER")
            }
            for contact in contacts {
                let alias = contact.alias.isEmpty ? contact.name ?? "(no name)" : Output.safe(contact.alias)
                let name = contact.name.map { $0 == alias ? "" : "  “\($0)”" } ?? ""
                Output.say("\(alias)\(name)  \(contact.id)  \(Self.sentence(for: contact))")
                if let other = contact.nameConflict {
                    Output.say("  Careful: the name server says that “\(contact.name ?? "")” is \(other) now.")
                }
            }
        }

        private static func sentence(for contact: ContactInfo) -> String {
            switch contact.state {
            case .invited: "invited, has not answered yet"
            case .requested: "invites you; answer with: apus contact accept \(contact.id)"
            case .joining: "accepted, the conversation is being fetched"
            case .ready: contact.online ? "online" : "offline"
            case .blocked: "blocked"
            }
        }
    }
}
