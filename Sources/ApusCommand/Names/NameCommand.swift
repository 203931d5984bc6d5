import ArgumentParser

/// Registered names.
struct NameCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "name",
        abstract: "Look up, verify and register names.",
        discussion: """
            A name server keeps public names for accounts: everybody can read all of them. How sure an answer is:
              unsigned  the server says so
              signed    the account signed the name; that nobody else was given it is the server's word
              proved    the registry's contract says so in a block that your trust settings accept

            Exit codes: 0 found, or registered; 1 refused; 2 nobody has the name; 3 not yet, it goes on; 6 the name is \
            taken; 7 a name server was caught lying; 8 nothing could be proved; 64 the command was not understood; \
            69 no name server can be reached.
            """,
        subcommands: [Lookup.self, Whois.self, Verify.self, Register.self, Stop.self]
    )
}
