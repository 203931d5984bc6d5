import ArgumentParser
import DHT
import JSON
import Keys

/// Shows what comes and goes at a key.
struct DHTListen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "listen",
        abstract: "Show the values at a key, and those to come.",
        discussion: """
            Example: apus dht listen meeting

            Goes on until Ctrl-C, or --timeout. With --json there is an object for each event: event ("value" or \
            "expired"), key, id, and for values the fields of “apus dht get”.
            """
    )

    @OptionGroup var options: DHTOptions

    @Argument(help: "A text, or 40 hexadecimal digits.")
    var key: DHTKey

    func run() async throws {
        let signals = StopSignals()
        let session = try await DHTSession.start(options, isBrief: true)
        let announcement = Task { await session.reportConnection() }
        let events = await session.node.listen(at: key.hash)
        let printing = Task { for await event in events { show(event) } }
        let saving = Task { await session.keepSaving() }
        await signals.wait(atMost: options.timeout.map { .seconds($0) })
        for task in [announcement, printing, saving] { task.cancel() }
        try await session.end()
    }

    private func show(_ event: DHTListener.Event) {
        switch event {
        case .value(let opened):
            var fields = ValueText.fields(opened)
            fields["event"] = .string("value")
            fields["key"] = .string(key.hash.hex)
            Output.line(ValueText.line(opened), json: fields, options.common)
        case .expired(let id):
            Output.line(
                "\(ValueText.id(id))  (expired)",
                json: ["event": .string("expired"), "key": .string(key.hash.hex), "id": .string(ValueText.id(id))],
                options.common
            )
        }
    }
}
