import Apus
import ArgumentParser
import ControlAPI
import Foundation
import JSON

/// Sends one message.
struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send a message.",
        discussion:
            "Done when the message is stored here: from then on it reaches them, also if they are away for long."
    )

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The contact: a name or an identifier.")
    var contact: String

    @Argument(help: "The text; “-” reads it from standard input.")
    var text: String

    func run() async throws {
        var body = text
        if text == "-" {
            let data = try FileHandle.standardInput.readToEnd() ?? Data()
            body = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
        }
        let client = try await options.client()
        let params = options.parameters(["to": .string(contact), "body": .string(body)])
        let message = try await client.call("message.send", params).decode(MessageInfo.self)
        Output.line(
            "Stored; it is sent as soon as they are online.",
            json: ["message": .string(message.message), "conversation": .string(message.conversation)],
            options
        )
    }
}

/// Shows messages that nobody has seen yet.
struct Inbox: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show unread messages.",
        discussion: "What was shown counts as read."
    )

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Stay and show what comes.")
    var follow = false

    @Flag(help: "Show all messages, also those that were read or that you wrote.")
    var all = false

    func run() async throws {
        let client = try await options.client()
        let names = try await ContactNames(client: client, options: options)
        // Asked for before the messages, so that what comes meanwhile is among the events.
        let position = try await client.call("events.last", options.parameters())["sequence"] ?? .integer(0)
        let shown = all ? try await everything(client) : try await unread(client)
        for message in shown { MessagePrinter.show(message, names: names, options: options) }
        try await markRead(shown, client)
        guard follow else {
            if shown.isEmpty, !options.json { Output.say("Nothing new.") }
            return
        }
        let seen = Set(shown.map(\.message))
        let includesOwn = all
        try await client.stream("events.subscribe", options.parameters(["since": position])) { params in
            let event = try params.decode(EventInfo.self)
            if event.kind == .contactNameWarning, let reason = event.reason { Output.note("Careful: \(reason)") }
            guard event.kind == .messageNew, let message = event.message, !seen.contains(message.message),
                includesOwn || message.direction == .incoming
            else { return true }
            MessagePrinter.show(message, names: names, options: options)
            try await markRead([message], client)
            return true
        }
    }

    private func unread(_ client: ControlClient) async throws -> [MessageInfo] {
        try await client.call("message.unread", options.parameters()).decode([MessageInfo].self)
    }

    private func everything(_ client: ControlClient) async throws -> [MessageInfo] {
        try await client.call("message.list", options.parameters(["limit": .integer(10_000)])).decode(
            [MessageInfo].self
        )
    }

    private func markRead(_ messages: [MessageInfo], _ client: ControlClient) async throws {
        let ids = messages.filter { $0.direction == .incoming }.map { JSONValue.string($0.message) }
        guard !ids.isEmpty else { return }
        _ = try await client.call("message.markRead", options.parameters(["messages": .array(ids)]))
    }
}

/// A conversation at the terminal.
struct Chat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Talk with a contact.",
        discussion: "Each line that you type is a message. End with Ctrl-D."
    )

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The contact: a name or an identifier.")
    var contact: String

    func run() async throws {
        let client = try await options.client()
        let chosen = try await client.call("contact.get", options.parameters(["id": .string(contact)]))
            .decode(ContactInfo.self)
        let names = try await ContactNames(client: client, options: options)
        let position = try await client.call("events.last", options.parameters())["sequence"] ?? .integer(0)
        let recent = options.parameters(["contact": .string(chosen.id), "limit": .integer(20)])
        let messages = try await client.call("message.list", recent).decode([MessageInfo].self)
        for message in messages { MessagePrinter.show(message, names: names, options: options) }
        if !options.json {
            Output.note(
                "— \(names.name(of: chosen.id)) is \(chosen.online ? "online" : "offline; what you write is kept") —"
            )
        }
        let options = options
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await client.stream("events.subscribe", options.parameters(["since": position])) { params in
                    let event = try params.decode(EventInfo.self)
                    guard event.kind == .messageNew, let message = event.message, message.contact == chosen.id,
                        message.direction == .incoming || options.json
                    else { return true }
                    MessagePrinter.show(message, names: names, options: options)
                    let ids = options.parameters(["messages": .array([.string(message.message)])])
                    _ = try await client.call("message.markRead", ids)
                    return true
                }
            }
            group.addTask {
                for await line in InputLines.stream() where !line.isEmpty {
                    let params = options.parameters(["to": .string(chosen.id), "body": .string(line)])
                    _ = try await client.call("message.send", params)
                }
            }
            // The end of the input, or of the daemon, ends the talk.
            try await group.next()
            group.cancelAll()
        }
    }
}

/// Lines of standard input, read by a thread of their own since reading blocks.
enum InputLines {
    static func stream() -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        Thread.detachNewThread {
            while let line = readLine() { continuation.yield(line) }
            continuation.finish()
        }
        return stream
    }
}

/// What contacts are called.
struct ContactNames: Sendable {
    private var names: [String: String] = [:]

    init(client: ControlClient, options: GlobalOptions) async throws {
        let contacts = try await client.call("contact.list", options.parameters()).decode([ContactInfo].self)
        for contact in contacts {
            let name = contact.alias.isEmpty ? contact.name : Output.safe(contact.alias)
            if let name { names[contact.id] = name }
        }
    }

    func name(of id: String) -> String {
        names[id] ?? Output.short(id)
    }
}

/// Prints a message as a line.
enum MessagePrinter {
    static func show(_ message: MessageInfo, names: ContactNames, options: GlobalOptions) {
        if options.json {
            Output.say((try? JSONValue(encoding: message).line) ?? "{}")
            return
        }
        let time = Output.time(message.time)
        let body = Output.safe(message.body)
        switch message.direction {
        case .incoming: Output.say("\(time)  \(names.name(of: message.from)): \(body)")
        case .outgoing:
            let mark = message.state == .stored ? " (not yet there)" : ""
            Output.say("\(time)  you to \(names.name(of: message.contact)): \(body)\(mark)")
        }
    }
}
