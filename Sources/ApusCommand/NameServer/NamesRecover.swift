import ArgumentParser
import Ethereum
import Foundation
import JSON
import NameRegistry
import NameServer

/// Makes a lost database again from the registrations' log.
struct NamesRecover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Make the database of a name server again from its registrations' log.",
        discussion: """
            Brings everything into the database that the log has and the database lacks: all of it, when the database was \
            lost and moved away. A server does the same at each start; this command tells what it has found.

            Exit codes: 0 both agree; 1 refused, with the reason; 3 both agree, but some records contradict each other; \
            5 a server uses the folder; 64 the command was not understood.
            """
    )

    @OptionGroup var folder: NameServerFolder

    @Option(help: "The log (default: registrations.log in the folder).")
    var registrationsLog: String?

    @Flag(help: "Print JSON for programs.")
    var json = false

    func run() async throws {
        let lock = try folder.lock()
        defer { lock.release() }
        let log = registrationsLog ?? "\(folder.path)/registrations.log"
        guard FileManager.default.fileExists(atPath: log) else {
            throw Failure(kind: .refused, sentence: "There is no log at \(log).")
        }
        let isJSON = json
        let store = try await NameServerStores.open(folder, log: log) { report in
            guard !isJSON, report.applied % 100_000 < 2_000 else { return }
            Output.note("\(report.applied) registrations recovered.")
        }
        let (report, names) = (store.replay, try await store.read { try $0.recordCount() })
        let root = try await store.snapshotRoot()
        await store.close()
        if json {
            let members: [String: JSONValue] = [
                "names": .integer(Int64(names)), "applied": .integer(Int64(report.applied)),
                "appended": .integer(Int64(report.appended)), "superseded": .integer(Int64(report.superseded)),
                "conflicting": .integer(Int64(report.conflicting)), "snapshot": .string(root.root.hex),
            ]
            print(JSONValue.object(members).line)
        } else {
            Output.say(
                """
                \(report.applied) registrations were recovered, \(report.appended) were missing in the log. There are \
                \(names) names now; their snapshot is \(root.root.hex).
                """
            )
        }
        if report.conflicting > 0 { throw ExitCode(Failure.Kind.notYet.rawValue) }
    }
}
