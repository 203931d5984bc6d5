import Apus
import ArgumentParser
import DHT
import Foundation

/// The options of all commands about the DHT.
struct DHTOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions

    @Option(help: "The number of the network; nodes of other networks are not heard.")
    var network: UInt32 = 0

    @Option(help: "The UDP port (default: one that the system chooses).")
    var port: UInt16?

    @Option(help: "The key that signs: FILE.pem with its certificate FILE.crt, as dhtnode writes them.")
    var identity: String?

    @Option(help: "Make a key and a certificate, unless FILE.pem is there already, and use them.")
    var saveIdentity: String?

    @Option(help: "Keep nodes and values in this file for the next start; files of dhtnode -f are read too.")
    var saveState: String?

    @Flag(help: "Stay out of the routing tables of others.")
    var client = false

    @Flag(help: "Do not look for nodes on the local network.")
    var noDiscovery = false

    @Flag(help: "Serve as many requests as come, for measurements.")
    var noRateLimit = false

    @Option(help: "End after so many seconds.")
    var timeout: Double?

    func validate() throws {
        if let timeout, !(timeout > 0 && timeout < 1e9) {
            throw ValidationError("--timeout takes a number of seconds above 0.")
        }
        if identity != nil, saveIdentity != nil {
            throw ValidationError("--identity reads a key and --save-identity makes one; give one of the two.")
        }
    }

    var json: Bool { common.json }

    /// Where the network is joined.
    var bootstrap: [String] {
        let given = common.bootstrapNodes
        if given == ["none"] { return [] }
        // The public nodes belong to network 0 alone.
        if given.isEmpty { return network == 0 ? Account.Network.publicBootstrap : [] }
        return given
    }

    /// How long one operation may take, joining included.
    var patience: Duration { .seconds(timeout ?? 30) }
}
