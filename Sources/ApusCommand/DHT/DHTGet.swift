import ArgumentParser
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
            Example: apus dht get meeting WHERE user_type=text/plain

            A line is id, content and, in brackets, what else is known. Bad signatures are left out. With --json there \
            is an object for each value: key, id (hexadecimal), type, user_type, size, encrypted, text or data \
            (base64), and for signed ones signed_by and edition.
            """
    )

    @OptionGroup var options: DHTOptions

    @Argument(help: "A text, or 40 hexadecimal digits.")
    var key: DHTKey

    @Argument(help: "WHERE field=value,field=value with id, value_type, owner_pk, seq or user_type.")
    var conditions: [String] = []

    func validate() throws {
        _ = try filters()
    }

    func run() async throws {
        let filters = try filters()
        let session = try await DHTSession.start(options, isBrief: true)
        try await session.connect()
        let values = try await session.asking("Asking the nodes around \(key.hash)…") { node throws(DHTError) in
            try await node.get(key.hash, filters: filters)
        }
        for opened in values { show(opened) }
        try await session.end()
        if values.isEmpty { throw Failure(kind: .notFound, sentence: "Nothing is stored at \(key.hash).") }
    }

    private func filters() throws -> [ValueFilter] {
        do {
            return try [ValueFilter](parsing: conditions.joined(separator: " "))
        } catch {
            throw ValidationError("\(error)")
        }
    }

    private func show(_ opened: OpenedValue) {
        var fields = ValueText.fields(opened)
        fields["key"] = .string(key.hash.hex)
        Output.line(ValueText.line(opened), json: fields, options.common)
    }
}
