import ArgumentParser
import Foundation
import JSON
import NameServer

/// Brings the dump of an old name server into the folder of a server.
struct NamesImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Import the dump of an old name server.",
        discussion: """
            Reads a JSON list of records with name, addr, owner, publickey and signature. Each signature is checked again; \
            records that prove nothing wrong but have none are taken as unsigned. Names that are there already stay as \
            they are. The server must not run meanwhile. An import that was interrupted goes on where it was.

            Exit codes: 0 everything was imported; 1 refused, with the reason; 3 imported, but some records were left out; \
            5 a server uses the folder; 64 the command was not understood.
            """
    )

    @OptionGroup var folder: NameServerFolder

    @Argument(help: "The file with the dump.", completion: .file())
    var file: String

    @Option(help: "The file that every registration is written to first (default: registrations.log in the folder).")
    var registrationsLog: String?

    @Flag(help: "Take records with wrong keys or signatures too, as unsigned.")
    var keepBad = false

    @Flag(help: "Hand the names over to the chain as well.")
    var chained = false

    @Flag(help: "Print JSON for programs: a line for each record that is left out, then the counts.")
    var json = false

    func run() async throws {
        let lock = try folder.lock()
        defer { lock.release() }
        let store = try await NameServerStores.open(folder, log: registrationsLog)
        var options = NameImport.Options()
        options.badEvidence = keepBad ? .unsigned : .refuse
        options.chained = chained
        let report = try await imported(into: store, options)
        await store.close()
        summarize(report)
        let isComplete = report.isWhole && report.malformed + report.badEvidence + report.nameTaken == 0
        guard isComplete, report.accountTaken == 0 else { throw ExitCode(Failure.Kind.notYet.rawValue) }
    }

    private func imported(into store: any NameStore, _ options: NameImport.Options) async throws -> NameImportReport {
        var shown = 0
        do {
            return try await NameImport(into: store, options: options).run(
                path: file,
                progress: { report in
                    let percent = report.byteCount > 0 ? report.position * 100 / report.byteCount : 100
                    guard !json, percent >= shown + 10 else { return }
                    shown = percent
                    Output.note("\(percent) % of \(file): \(report.inserted) names imported.")
                },
                problem: { name, problem in
                    if json {
                        print(JSONValue.object(["name": .string(name), "problem": .string(problem.sentence)]).line)
                    } else {
                        Output.note("“\(Output.safe(name))” is left out: \(problem.sentence)")
                    }
                }
            )
        } catch let error as NameImportError {
            throw Failure(kind: .refused, sentence: error.sentence(file))
        } catch let error as NameStoreError {
            throw Failure(kind: .refused, sentence: "The import has stopped: \(NameServerStores.reason(of: error)).")
        }
    }

    private func summarize(_ report: NameImportReport) {
        guard json else {
            Output.say(
                """
                \(report.inserted) of \(report.records) names were imported, \(report.unsigned) of them without a \
                signature; \(report.identical) were there already.
                """
            )
            if !report.isWhole { Output.note("The file ends in the middle of its list: names are missing.") }
            return
        }
        let members: [String: JSONValue] = [
            "records": .integer(Int64(report.records)), "inserted": .integer(Int64(report.inserted)),
            "unsigned": .integer(Int64(report.unsigned)), "identical": .integer(Int64(report.identical)),
            "malformed": .integer(Int64(report.malformed)), "badEvidence": .integer(Int64(report.badEvidence)),
            "nameTaken": .integer(Int64(report.nameTaken)), "accountTaken": .integer(Int64(report.accountTaken)),
            "whole": .boolean(report.isWhole), "resumedAt": .integer(Int64(report.resumedAt)),
        ]
        print(JSONValue.object(members).line)
    }
}

extension DumpProblem {
    fileprivate var sentence: String {
        switch self {
        case .malformed: "It has no valid name, account and owner."
        case .evidence(let reason): "\(reason)."
        case .nameTaken: "The name is another account's here."
        case .accountTaken(let name): "Its account has the name “\(name)” here."
        }
    }
}

extension NameImportError {
    fileprivate func sentence(_ file: String) -> String {
        switch self {
        case .unreadable(let reason): "\(file) cannot be read: \(reason)."
        case .noDump(let offset): "\(file) is no dump of names: byte \(offset) does not belong into one."
        }
    }
}
