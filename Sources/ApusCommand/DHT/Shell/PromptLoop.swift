import DHT
import Foundation
import Keys

/// The prompt of a node on a terminal.
struct PromptLoop {
    private static let prompt = "dht> "

    private let session: DHTSession
    private let history: LineHistory
    private let terminal: PromptTerminal

    init(session: DHTSession, folder: String) {
        self.session = session
        history = LineHistory(folder: folder, name: "dht-history")
        terminal = PromptTerminal(prompt: Self.prompt, history: history.load(), words: ShellCommand.names)
    }

    func run(until signals: StopSignals, atMost limit: Duration?) async {
        let terminal = terminal
        let shell = DHTShell(session: session) { terminal.say($0) }
        session.log.send { terminal.say($0) }
        RawTerminal.enter()
        terminal.say(await session.greeting)
        terminal.say("“h” lists the commands, “x” ends the node.")
        terminal.show()
        let announcement = Task { await session.reportConnection { terminal.say($0) } }
        let typing = Task {
            await withDiscardingTaskGroup { group in
                for await bytes in RawTerminal.bytes() {
                    for outcome in terminal.handle(bytes) {
                        switch outcome {
                        case .submitted(let line):
                            guard await begin(line, in: shell, &group) else { return end(&group, signals) }
                        case .interrupted, .ended: return end(&group, signals)
                        case .edited, .suspended, .clearScreen, .candidates: break
                        }
                    }
                }
                end(&group, signals)
            }
        }
        await signals.wait(atMost: limit)
        typing.cancel()
        announcement.cancel()
        await shell.end()
        terminal.hide()
        RawTerminal.leave()
        history.save(terminal.history)
    }

    private func end(_ group: inout DiscardingTaskGroup, _ signals: StopSignals) {
        group.cancelAll()
        signals.stop()
    }

    /// Begins a command, which goes on while others are typed; false ends the node.
    private func begin(_ line: String, in shell: DHTShell, _ group: inout DiscardingTaskGroup) async -> Bool {
        do throws(ShellError) {
            guard let command = try ShellCommand(parsing: line) else { return true }
            if command == .quit { return false }
            group.addTask { await shell.perform(command) }
        } catch {
            await shell.complain(error.sentence)
        }
        return true
    }
}
