import Apus
import ArgumentParser
import ControlAPI
import Foundation
import JSON

/// Making and listing accounts.
struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Make, list and set up accounts.",
        subcommands: [New.self, List.self, Set.self]
    )

    struct New: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an account.",
            discussion: """
                Keys are made and stored on this machine; nobody else has them. The password locks the archive that \
                holds them. There is no way to get a lost password back.
                """
        )

        @OptionGroup var options: GlobalOptions

        @Option(help: "The name that contacts see.")
        var alias: String

        @Flag(help: "Leave the archive without a password.")
        var noPassword = false

        @Option(name: .customLong("password-fd"), help: "Read the password from this file descriptor.")
        var passwordDescriptor: Int32?

        func run() async throws {
            let password = try choosePassword()
            let client = try await options.client()
            if !options.json { Output.note("Making keys; this takes a few seconds…") }
            let info = try await Accounts.create(alias: alias, password: password, options: options, client: client)
            Output.line(
                """
                Your account “\(info.alias)” is ready. Your identifier, for those who want to talk to you:
                  \(info.id)
                Add somebody with: apus contact add IDENTIFIER
                """,
                json: [
                    "account": .string(info.account), "id": .string(info.id), "device": .string(info.device),
                    "alias": .string(info.alias),
                ],
                options
            )
        }

        private func choosePassword() throws -> String {
            if noPassword { return "" }
            if let passwordDescriptor {
                return try Prompt.password(descriptor: passwordDescriptor)
            }
            guard isatty(STDIN_FILENO) == 1 else {
                throw ValidationError("Say how the archive is locked: --password-fd N, or --no-password.")
            }
            return try Prompt.newPassword()
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the accounts of this machine.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let client = try await options.client()
            let result = try await client.call("account.list")
            if options.json {
                Output.say(JSONValue.object(["accounts": result]).line)
                return
            }
            let accounts = try result.decode([AccountInfo].self)
            if accounts.isEmpty { Output.say("There is no account yet. Make one with: apus account new --alias NAME") }
            for account in accounts {
                let name = account.registeredName.map { "  registered as “\($0)”" } ?? ""
                Output.say("\(account.alias)  \(account.id)  \(account.state.rawValue)\(name)")
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change the settings of an account.",
            discussion: "--name-server URL chooses its name server; “default” goes back to Jami's."
        )

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            guard let server = options.nameServer else {
                throw ValidationError("Say what to set: --name-server URL")
            }
            // The option would make a daemon that is started use the server for every account.
            var others = options
            others.nameServer = nil
            let client = try await others.client()
            let value: JSONValue = server == "default" ? .null : .string(server)
            let info = try await client.call("account.set", options.parameters(["nameServer": value]))
                .decode(AccountInfo.self)
            Output.line(
                "“\(info.alias)” asks \(info.nameServer) for names.",
                json: ["account": .string(info.account), "nameServer": .string(info.nameServer)],
                options
            )
        }
    }
}

/// Calls about accounts that several commands make.
enum Accounts {
    static func create(
        alias: String,
        password: String,
        options: GlobalOptions,
        client: ControlClient
    ) async throws -> AccountInfo {
        let params: JSONValue = .object([
            "alias": .string(alias),
            "password": .string(password),
            "bootstrap": .array(options.bootstrapNodes.map { .string($0) }),
        ])
        return try await client.call("account.create", params).decode(AccountInfo.self)
    }
}

/// Questions to a person at a terminal.
enum Prompt {
    static func line(_ question: String) -> String? {
        FileHandle.standardOutput.write(Data(question.utf8))
        return readLine()
    }

    /// Asks twice, without showing what is typed; an empty answer means no password.
    static func newPassword() throws -> String {
        while true {
            guard let first = hidden("Password for your archive (empty for none): ") else {
                throw Failure(kind: .refused, sentence: "No password was given, so no account was made.")
            }
            if first.isEmpty { return "" }
            if hidden("Once more: ") == first { return first }
            Output.say("The two differ. Again:")
        }
    }

    /// The password that stands in a file descriptor.
    static func password(descriptor: Int32) throws -> String {
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        let data = try handle.readToEnd() ?? Data()
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    static func hidden(_ question: String) -> String? {
        var settings = termios()
        let isTerminal = unsafe tcgetattr(STDIN_FILENO, &settings) == 0
        if isTerminal {
            var silent = settings
            silent.c_lflag &= ~tcflag_t(ECHO)
            unsafe tcsetattr(STDIN_FILENO, TCSANOW, &silent)
        }
        defer {
            if isTerminal {
                unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings)
                Output.say("")
            }
        }
        return line(question)
    }
}
