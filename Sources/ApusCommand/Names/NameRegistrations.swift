import Apus
import ArgumentParser
import ControlAPI
import Foundation
import JSON

extension NameCommand {
    /// Registers a name for an account.
    struct Register: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Register a name for your account.",
            discussion: """
                The name becomes public, together with your identifier, and stays so: names are not given twice. An account \
                has one name. While the name server is in trouble, Apus goes on asking, also after a restart.

                Exit codes: 0 it is yours; 1 refused; 3 not decided yet, Apus goes on; 6 it is taken, or your account has \
                another one; 7 the server was caught lying.
                """
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "3 to 32 of the characters a–z, 0–9, _ and -.")
        var name: String

        @Option(name: .customLong("password-fd"), help: "Read the archive's password from this file descriptor.")
        var passwordDescriptor: Int32?

        @Option(help: "For how many seconds a server in trouble is asked again.")
        var patience: Int64 = 86_400

        func run() async throws {
            let client = try await options.client()
            let password = try passwordDescriptor.map { try Prompt.password(descriptor: $0) } ?? ""
            let registration: NameRegistrationInfo
            do {
                registration = try await register(client, password)
            } catch let error as RPCError where error.data?.code == ApusError.Code.passwordNeeded.name {
                guard passwordDescriptor == nil, isatty(STDIN_FILENO) == 1,
                    let typed = Prompt.hidden("Password of your archive: ")
                else { throw error }
                registration = try await register(client, typed)
            }
            let sentence =
                registration.isPending
                ? "\(registration.reason) Apus goes on asking until \(Output.time(registration.deadline)); "
                    + "“apus name stop” ends that." : registration.reason
            let members = try JSONValue(encoding: registration).object ?? [:]
            if registration.isDone || options.json { Output.line(sentence, json: members, options) }
            guard !registration.isDone else { return }
            throw Failure(kind: Self.kind(of: registration.state), sentence: sentence)
        }

        private func register(_ client: ControlClient, _ password: String) async throws -> NameRegistrationInfo {
            let members: [String: JSONValue] = [
                "name": .string(name), "password": .string(password), "patience": .integer(patience),
            ]
            return try await client.call("name.register", options.parameters(members)).decode(NameRegistrationInfo.self)
        }

        static func kind(of state: String) -> Failure.Kind {
            switch state {
            case "pending", "expired": .notYet
            case "taken", "accountHasName": .nameTaken
            case "refused": .refused
            default: .lied
            }
        }
    }

    /// Gives up a registration.
    struct Stop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop asking for a name.",
            discussion: "A name that the server has accepted already stays yours."
        )

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let client = try await options.client()
            let result = try await client.call("name.stop", options.parameters())
            let stopped = result["stopped"]?.boolean ?? false
            Output.line(
                stopped ? "The registration was given up." : "No registration is under way.",
                json: ["stopped": .boolean(stopped)],
                options
            )
        }
    }
}
