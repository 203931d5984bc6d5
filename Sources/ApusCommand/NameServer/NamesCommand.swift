import ArgumentParser

/// What those do who run a name server.
struct NamesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "names",
        abstract: "Run a name server.",
        discussion: "Names of people are looked up and registered with “apus name”; this is for those who keep them.",
        subcommands: [NamesServe.self, NamesImport.self, NamesRecover.self, NamesMigrate.self]
    )
}
