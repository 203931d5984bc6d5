import ArgumentParser
import ControlAPI
import DHT
import Foundation
import JSON
import Keys

/// Runs a node.
struct DHTNodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Run a node, with a prompt on a terminal.",
        discussion: """
            Example: apus dht node --port 4222 --save-state node.state

            On a terminal there is a prompt; “h” lists its commands. Commands may come through a pipe too; the node \
            ends with its input, after what was asked for is done. With --service, or started without input, it serves \
            until SIGTERM or Ctrl-C. With --json the first line of a service is {"event":"ready","id":…,"port":…}, and \
            each change of the connection gives {"event":"status","status":…}.
            """
    )

    @OptionGroup var options: DHTOptions

    @Flag(help: "Serve without reading commands.")
    var service = false

    func run() async throws {
        let signals = StopSignals()
        let session = try await DHTSession.start(options)
        let id = await session.node.id
        let port = await session.node.boundPort
        Output.line(
            "Node \(id) runs on port \(port).",
            json: ["event": .string("ready"), "id": .string(id.hex), "port": .integer(Int64(port))],
            options.global
        )
        let announcement = Task { await session.reportConnection() }
        let saving = Task { await session.keepSaving() }
        await signals.wait(atMost: options.timeout.map { .seconds($0) })
        announcement.cancel()
        saving.cancel()
        try await session.end()
    }
}
