import ArgumentParser
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
        let saving = Task { await session.keepSaving() }
        if service || !NodeInput.hasCommands {
            try await serve(session, until: signals)
        } else if RawTerminal.isPossible {
            await PromptLoop(session: session, folder: options.common.folder).run(until: signals, atMost: limit)
        } else {
            await readCommands(session, until: signals)
        }
        saving.cancel()
        try await session.end()
    }

    private var limit: Duration? { options.timeout.map { .seconds($0) } }

    private func serve(_ session: DHTSession, until signals: StopSignals) async throws {
        Output.line(await session.greeting, json: await session.readiness, options.common)
        let announcement = Task { await session.reportConnection() }
        await signals.wait(atMost: limit)
        announcement.cancel()
    }

    /// Does one command after the other, so that each sees what those before it did.
    private func readCommands(_ session: DHTSession, until signals: StopSignals) async {
        if options.json { Output.say(JSONValue.object(await session.readiness).line) }
        let shell = DHTShell(session: session) { Output.say($0) }
        let work = Task {
            var isFirst = true
            for await line in InputLines.stream() {
                let command: ShellCommand?
                do throws(ShellError) {
                    command = try ShellCommand(parsing: line)
                } catch {
                    await shell.complain(error.sentence)
                    continue
                }
                guard let command else { continue }
                if command == .quit { break }
                if isFirst, command.needsNetwork {
                    isFirst = false
                    do {
                        try await session.connect()
                    } catch {
                        Output.note("apus: \((error as? Failure)?.sentence ?? "\(error)")")
                    }
                }
                await shell.perform(command)
            }
            signals.stop()
        }
        await signals.wait(atMost: limit)
        work.cancel()
        await shell.end()
    }
}

/// What the standard input of a node is.
enum NodeInput {
    /// Whether commands can come: from a terminal, a pipe or a file, but not from `/dev/null`.
    static var hasCommands: Bool {
        var status = stat()
        guard unsafe fstat(STDIN_FILENO, &status) == 0 else { return false }
        return isatty(STDIN_FILENO) == 1 || status.st_mode & S_IFMT != S_IFCHR
    }
}
