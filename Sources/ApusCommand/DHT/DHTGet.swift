import ArgumentParser
import ControlAPI
import DHT
import JSON
import Keys

/// Reads what is stored at a key.
struct DHTGet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Show the values at a key.",
        discussion: """
            Example: apus dht get meeting

            A line is id, content and, in brackets, what else is known. Bad signatures are left out. With --json there \
            is an object for each value: key, id (hexadecimal), type, user_type, size, encrypted, text or data \
            (base64), and for signed ones signed_by and edition.
            """
    )

    @OptionGroup var options: DHTOptions

    @Argument(help: "A text, or 40 hexadecimal digits.")
    var key: DHTKey

    func run() async throws {
        let session = try await DHTSession.start(options, isBrief: true)
        try await session.connect()
        let progress = Progress(isQuiet: options.json)
        progress.show("Asking the nodes around \(key.hash)…")
        let values = try await values(in: session)
        progress.clear()
        for opened in values { show(opened) }
        try await session.end()
        if values.isEmpty { throw Failure(kind: .notFound, sentence: "Nothing is stored at \(key.hash).") }
    }

    private func values(in session: DHTSession) async throws -> [OpenedValue] {
        let node = session.node
        let search = Task { try await node.get(key.hash) }
        // A get that is cancelled gives what it has found.
        let alarm = Task {
            try await Task.sleep(for: options.patience)
            search.cancel()
        }
        defer { alarm.cancel() }
        do {
            return try await search.value
        } catch let error as DHTError {
            throw Failure(error)
        }
    }

    private func show(_ opened: OpenedValue) {
        var fields = ValueText.fields(opened)
        fields["key"] = .string(key.hash.hex)
        Output.line(ValueText.line(opened), json: fields, options.global)
    }
}
