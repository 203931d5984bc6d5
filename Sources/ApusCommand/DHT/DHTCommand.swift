import ArgumentParser

/// The DHT itself, without accounts: a node, values and a look at the network.
struct DHTCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dht",
        abstract: "Run a node of the DHT; put, get and watch values; look at the network.",
        discussion: """
            These commands need no account and no daemon: each runs a node of its own, as long as it takes. A KEY is \
            any text (its SHA-1 is the place) or 40 hexadecimal digits. Texts are stored as dhtnode does, so its users \
            see yours and you see theirs.

            The network is joined through --bootstrap HOST[:PORT], by default that of Jami; “--bootstrap none” joins \
            nobody but the nodes of the local network, which are found by themselves.

            Exit codes: 0 done; 1 refused, with the reason; 2 nothing found; 3 no node of the network answers; 64 the \
            command was not understood.
            """,
        subcommands: [
            DHTNodeCommand.self, DHTGet.self, DHTPut.self, DHTListen.self, DHTQuery.self, DHTScan.self, DHTInfo.self,
        ]
    )
}
