import ArgumentParser
import DHT
import JSON
import Keys

/// Asks for fields of the values at a key.
struct DHTQuery: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Show some fields of the values at a key, without the values.",
        discussion: """
            Example: apus dht query meeting "SELECT id,user_type WHERE value_type=0"

            Fields are id, value_type, owner_pk, seq and user_type; all conditions must hold. Nothing is checked: \
            anybody can have made up what is shown. With --json there is an object for each row, with the fields that \
            were asked for and key.
            """
    )

    @OptionGroup var options: DHTOptions

    @Argument(help: "A text, or 40 hexadecimal digits.")
    var key: DHTKey

    @Argument(help: "SELECT field,field WHERE field=value,field=value; both parts may be left out.")
    var query: [String]

    func validate() throws {
        _ = try parsed()
    }

    private func parsed() throws -> Query {
        do {
            return try Query(parsing: query.joined(separator: " "))
        } catch {
            throw ValidationError("\(error)")
        }
    }

    func run() async throws {
        let query = try parsed()
        let session = try await DHTSession.start(options, isBrief: true)
        try await session.connect()
        let rows = try await session.asking("Asking the nodes around \(key.hash)…") { node throws(DHTError) in
            try await node.query(key.hash, query)
        }
        for row in rows { Output.line(RowText.line(row), json: RowText.fields(row, key: key.hash), options.common) }
        try await session.end()
        if rows.isEmpty { throw Failure(kind: .notFound, sentence: "Nothing at \(key.hash) fits the query.") }
    }
}
