import ArgumentParser
import Foundation
import Keys
import NameRegistry
import Names

extension NameCommand {
    /// Finds an account by its name.
    struct Lookup: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "lookup",
            abstract: "Find out whose a name is.",
            discussion: "Exit codes: 0 found, 2 nobody has it, 7 the server was caught lying, 69 no server answers."
        )

        @OptionGroup var options: GlobalOptions
        @OptionGroup var servers: NameLookupOptions

        @Argument(help: "A name, NAME@SERVER, or an identifier.")
        var name: String

        func run() async throws {
            let query = try NameReport.query(name)
            let directory = try await servers.directory(options)
            switch query.subject {
            case .account(let account): try await Whois.show(account, query.server, directory, options)
            case .name(let name):
                let lookup: NameLookup
                do throws(NameDirectoryError) {
                    lookup = try await directory.lookup(name, at: query.server)
                } catch {
                    throw NameReport.fail(error, options)
                }
                await directory.close()
                NameReport.notes(lookup.problems)
                Output.line(NameReport.sentence(lookup), json: NameReport.json(lookup), options)
                if lookup.account == nil { throw ExitCode(Failure.Kind.notFound.rawValue) }
            }
        }
    }

    /// Finds an account's name.
    struct Whois: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find out what an account is called.",
            discussion: """
                The name is looked up in turn: it is shown only when it leads back to the account.
                Exit codes: 0 found, 2 it has no name, 7 the server was caught lying, 69 no server answers.
                """
        )

        @OptionGroup var options: GlobalOptions
        @OptionGroup var servers: NameLookupOptions

        @Argument(help: "An identifier: 40 hexadecimal digits.")
        var account: String

        func run() async throws {
            let query = try NameReport.query(account)
            guard case .account(let id) = query.subject else {
                throw Failure(kind: .refused, sentence: "“\(account)” is no identifier. For names: apus name lookup")
            }
            try await Self.show(id, query.server, try await servers.directory(options), options)
        }

        static func show(
            _ account: InfoHash,
            _ server: NameServerAddress?,
            _ directory: NameDirectory,
            _ options: GlobalOptions
        ) async throws {
            let lookup: AccountLookup
            do throws(NameDirectoryError) {
                lookup = try await directory.whois(account, at: server)
            } catch {
                throw NameReport.fail(error, options)
            }
            await directory.close()
            NameReport.notes(lookup.problems)
            Output.line(NameReport.sentence(lookup), json: NameReport.json(lookup), options)
            if lookup.name == nil { throw ExitCode(Failure.Kind.notFound.rawValue) }
        }
    }

    /// Leaves no server its word.
    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find out whose a name is, and have it proved.",
            discussion: """
                Every server is asked for its answer and for a proof: the state of the registry's contract in a block of \
                its chain. You need not trust the server; you trust what your settings name:

                  {"chainId": 1551, "store": "0x…",
                   "trust": {"kind": "clique", "checkpoint": "0x…RLP of a header that lists signers…"}}
                  {"chainId": 1, "store": "0x…",
                   "trust": {"kind": "quorum", "endpoints": ["https://…", "https://…", "https://…"],
                             "firstContact": 3, "later": 2}}

                The second means that you trust the operators of these nodes: so many must say the same. “maximumAge” \
                bounds the age of a proof in seconds. A block that is older than one that was accepted before is refused.

                Exit codes: 0 proved; 2 proved that nobody has it; 7 a server was caught lying, also when another one gave \
                a proof; 8 nothing is proved; 69 no server answers.
                """
        )

        @OptionGroup var options: GlobalOptions
        @OptionGroup var servers: NameLookupOptions

        @Argument(help: "A name, NAME@SERVER, or an identifier.")
        var name: String

        func run() async throws {
            let query = try NameReport.query(name)
            let directory = try await servers.directory(options)
            do {
                switch query.subject {
                case .name(let name):
                    let lookup = try await directory.verify(name, at: query.server)
                    Output.line(NameReport.sentence(lookup), json: NameReport.json(lookup), options)
                    await directory.close()
                    try end(lookup.assurance, isFound: lookup.account != nil, lookup.problems, directory)
                case .account(let account):
                    let lookup = try await directory.verify(account)
                    Output.line(NameReport.sentence(lookup), json: NameReport.json(lookup), options)
                    await directory.close()
                    let assurance = lookup.name?.assurance ?? (lookup.block == nil ? .unsigned : .proved)
                    try end(assurance, isFound: lookup.name != nil, lookup.problems, directory)
                }
            } catch let error as NameDirectoryError {
                throw NameReport.fail(error, options)
            }
        }

        private func end(
            _ assurance: NameAssurance,
            isFound: Bool,
            _ problems: [NameServerProblem],
            _ directory: NameDirectory
        ) throws {
            NameReport.notes(problems)
            if problems.contains(where: \.isLie) { throw ExitCode(Failure.Kind.lied.rawValue) }
            guard assurance == .proved else {
                Output.note(
                    directory.configuration.trust == nil
                        ? "Nothing is proved: there are no trust settings. See: apus name verify --help"
                        : "Nothing is proved."
                )
                throw ExitCode(Failure.Kind.unproved.rawValue)
            }
            if !isFound { throw ExitCode(Failure.Kind.notFound.rawValue) }
        }
    }
}
