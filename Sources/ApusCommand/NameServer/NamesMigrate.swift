import ArgumentParser
import Ethereum
import Foundation
import JSON
import NameRegistry
import NameServer

/// Moves names between a server's store and a chain.
struct NamesMigrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Move the names between this server's store and a chain.",
        subcommands: [NamesMigrateToChain.self, NamesMigrateToSQL.self]
    )
}

/// Puts the store's names into a registry.
struct NamesMigrateToChain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "to-chain",
        abstract: "Put all names of the store into the registry of a council.",
        discussion: """
            Stop the server first. The council must have admitted this server's key as a registrar and opened the import \
            (apus council propose …). Names that the registry has already are passed over, so an interrupted run is \
            simply started again. At the end the whole registry is compared with the store. Let the council close the \
            import then, and start the server with --mode shadow.

            Exit codes: 0 store and registry are equal; 1 refused, with the reason; 3 not all names are there; \
            5 a server uses the folder.
            """
    )

    @OptionGroup var folder: NameServerFolder
    @OptionGroup(title: "Chain") var chain: ChainOptions

    @Flag(help: "Put names whose evidence does not verify there without it, instead of leaving them out.")
    var includeInvalid = false

    @Option(help: "Names in one transaction, at most 128.")
    var batch = 100

    @Option(help: "How many seconds to wait for the last block to become final.")
    var patience = 1_800

    @Option(help: "The file that every registration is written to first.")
    var registrationsLog: String?

    @Flag(help: "Print JSON for programs.")
    var json = false

    func validate() throws {
        guard (1...128).contains(batch) else { throw ValidationError("A transaction holds 1 to 128 names.") }
        guard patience > 0 else { throw ValidationError("A time to wait is positive.") }
    }

    func run() async throws {
        let lock = try folder.lock()
        defer { lock.release() }
        let store = try await NameServerStores.open(folder, log: registrationsLog)
        let registry = try await chain.open()
        let snapshot = try await store.snapshotRoot()
        let names = Int64(clamping: snapshot.count)
        if !json { Output.say("The snapshot of \(names) names has the root \(snapshot.root.hex).") }
        var options = ChainImport.Options()
        options.batch = batch
        options.holdsBackInvalid = !includeInvalid
        options.blockTime = .seconds(chain.blockTime)
        let report: ChainImport.Report
        let comparison: Reconciliation.Report
        do {
            let isJSON = json
            report = try await ChainImport(store: store, chain: registry, options: options).run { looked in
                if !isJSON, looked % 1_000 < 128 { Output.note("\(looked) of \(names) names") }
            }
            comparison = try await ChainComparison(store: store, chain: registry, mode: .shadow)
                .run(within: .seconds(patience))
        } catch {
            throw Failure(kind: .refused, sentence: Self.sentence(error))
        }
        await store.close()
        tell(report, comparison, root: snapshot.root.hex)
        let isWhole = report.different.isEmpty && report.accountTaken.isEmpty && report.invalid.isEmpty
        guard comparison.isEqual, isWhole || includeInvalid else { throw ExitCode(Failure.Kind.notYet.rawValue) }
    }

    private func tell(_ report: ChainImport.Report, _ comparison: Reconciliation.Report, root: String) {
        let list = { (names: [Name]) -> JSONValue in .array(names.map { .string($0.text) }) }
        guard !json else {
            let line: JSONValue = [
                "root": .string(root), "imported": .integer(Int64(report.imported)),
                "present": .integer(Int64(report.present)), "transactions": .integer(Int64(report.transactions)),
                "different": list(report.different), "invalid": list(report.invalid),
                "accountTaken": list(report.accountTaken), "equal": .boolean(comparison.isEqual),
                "block": .integer(Int64(clamping: comparison.block)),
                "journal": .string(comparison.onChain.head.hex),
            ]
            return Output.say(line.line)
        }
        Output.say("\(report.imported) names were put there, \(report.present) were there before.")
        for (names, what) in [
            (report.different, "has other content on the chain; nothing was overwritten"),
            (report.invalid, "has evidence that does not verify"),
            (report.accountTaken, "belongs to an account that has another name on the chain"),
        ] {
            for name in names { Output.say("\(name) \(what).") }
        }
        Output.say(
            comparison.isEqual
                ? """
                Store and registry are equal at block \(comparison.block). Let the council close the import now, then \
                start the server with --mode shadow.
                """
                : "Store and registry differ at block \(comparison.block): look at the names above, then run this again."
        )
    }

    static func sentence(_ error: any Error) -> String {
        switch error {
        case ChainImport.Failure.importClosed:
            "The import is closed. Let the council open it: apus council propose configure import open"
        case ChainImport.Failure.refused(let reason): "The registry refuses the names: \(reason)."
        case let error as ChainReadError:
            "No node of the chain answers: \(error.reason). Run this again; it goes on where it ended."
        case ChainImport.Failure.notIncluded:
            "The chain takes no transactions at present. Run this again later; it goes on where it ended."
        case ChainComparison.Failure.notFinal(let block, let final):
            """
            Block \(block) has not become final in time (the newest final one is \(final.map(String.init) ?? "none")). \
            Run this again later.
            """
        case ChainExport.Failure.alarm(let alarm), ChainComparison.Failure.alarm(let alarm): "\(alarm)"
        case ChainExport.Failure.notProved:
            "The node's logs are not what the registry's proved journal says. Ask another node."
        case ChainExport.Failure.noFinalBlock: "No block of the chain is final yet. Run this again later."
        default: "The names could not be moved: \(error)."
        }
    }
}

/// Reads a registry into the store.
struct NamesMigrateToSQL: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "to-sql",
        abstract: "Read all names of a council's registry into the store.",
        discussion: """
            Stop the server first. Reads every operation since the registry was made, checks them against the proved \
            journal of the newest final block, and checks every name's evidence. Names that the store has with other \
            content keep what was durable first; both contents are listed. Start the server without --mode afterwards.

            Exit codes: 0 done; 1 refused, with the reason; 5 a server uses the folder.
            """
    )

    @OptionGroup var folder: NameServerFolder
    @OptionGroup(title: "Chain") var chain: ChainOptions

    @Option(help: "The file that every registration is written to first.")
    var registrationsLog: String?

    @Flag(help: "Print JSON for programs.")
    var json = false

    func run() async throws {
        let lock = try folder.lock()
        defer { lock.release() }
        let store = try await NameServerStores.open(folder, log: registrationsLog)
        let registry = try await chain.open()
        let report: ChainExport.Report
        let root: String
        do {
            report = try await ChainExport(store: store, chain: registry).run()
            root = try await store.snapshotRoot().root.hex
        } catch {
            throw Failure(kind: .refused, sentence: NamesMigrateToChain.sentence(error))
        }
        await store.close()
        guard !json else {
            let line: JSONValue = [
                "block": .integer(Int64(clamping: report.block)), "names": .integer(Int64(report.names)),
                "unsigned": .integer(Int64(report.unsigned)), "journal": .string(report.journal.head.hex),
                "kept": .array(report.kept.map { .string($0.text) }),
                "replaced": .array(report.replaced.map { .string($0.text) }), "root": .string(root),
            ]
            return Output.say(line.line)
        }
        Output.say(
            """
            The store has \(report.names) names of the registry at block \(report.block), \(report.unsigned) of them \
            without evidence that verifies. The snapshot of all names has the root \(root).
            """
        )
        for name in report.kept { Output.say("\(name) keeps what this store had: it is older than the registry's.") }
        for name in report.replaced { Output.say("\(name) is now what the registry has: it is older.") }
    }
}
