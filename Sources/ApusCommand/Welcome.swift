import Apus
import ArgumentParser
import ControlAPI
import Foundation
import JSON

/// What a bare `apus` does: the first account, or what there is to do next.
struct Welcome: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "welcome",
        abstract: "Make the first account, or show what there is.",
        shouldDisplay: false
    )

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let client = try await options.client()
        let accounts = try await client.call("account.list").decode([AccountInfo].self)
        if accounts.isEmpty {
            try await makeFirstAccount(client)
        } else {
            try await showNews(accounts, client)
        }
    }

    private func makeFirstAccount(_ client: ControlClient) async throws {
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure(
                kind: .notFound,
                sentence: "There is no account yet. Make one with: apus account new --alias NAME --no-password"
            )
        }
        Output.say("Welcome to Apus. You need no server and no phone number, only a name that your contacts see.")
        var name = ""
        while name.isEmpty {
            guard let answer = Prompt.line("Your name: ") else { return }
            name = answer.trimmingCharacters(in: .whitespaces)
        }
        let password = try Prompt.newPassword()
        Output.say("Making keys; this takes a few seconds…")
        let info = try await Accounts.create(alias: name, password: password, options: options, client: client)
        Output.say(
            """

            Done. Give your identifier to those who want to talk to you:

              \(info.id)

            What to do next:
              apus contact add IDENTIFIER    invite somebody (they may use Apus or Jami)
              apus contact list              who invited you, and who has accepted
              apus chat NAME                 talk
              apus inbox --follow            see what comes in
            """
        )
    }

    private func showNews(_ accounts: [AccountInfo], _ client: ControlClient) async throws {
        for account in accounts {
            Output.say("\(account.alias)  \(account.id)  \(account.state.rawValue)")
            let params: JSONValue = .object(["account": .string(account.account)])
            let contacts = try await client.call("contact.list", params).decode([ContactInfo].self)
            let unread = try await client.call("message.unread", params).decode([MessageInfo].self).count
            for contact in contacts where contact.state == .requested {
                let name = contact.alias.isEmpty ? contact.id : Output.safe(contact.alias)
                Output.say("  \(name) invites you: apus contact accept \(contact.id)")
            }
            Output.say(
                "  \(contacts.filter { $0.state != .requested }.count) contacts, \(unread) unread messages: apus inbox"
            )
        }
    }
}
