import ArgumentParser
import ControlAPI
import Foundation
import JSON

/// The options that every command takes.
struct CommonOptions: ParsableArguments {
    @Option(name: .customLong("data"), help: "The data folder (default: $XDG_DATA_HOME/apus).")
    var dataFolder: String?

    @Option(help: "Nodes through which the network is joined: HOST[:PORT], separated by commas.")
    var bootstrap: String?

    @Flag(help: "Print JSON for programs.")
    var json = false

    @Flag(help: "Say more, and let a daemon that is started log more.")
    var verbose = false

    /// The folder that holds everything, as an absolute path.
    var folder: String {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["HOME"] ?? NSHomeDirectory()
        let base = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(home)/.local/share"
        return URL(fileURLWithPath: dataFolder ?? "\(base)/apus").standardizedFileURL.path
    }

    var bootstrapNodes: [String] {
        (bootstrap ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}

/// The options of commands that talk to a daemon.
struct GlobalOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions

    @Option(help: "The account to use: its local name, identifier or alias; needed only when there are several.")
    var account: String?

    @Option(name: .customLong("name-server"), help: "The name server's URL, instead of the account's.")
    var nameServer: String?

    @Option(help: "A relay, HOST[:PORT] (relays are not used yet).")
    var turn: String?

    var json: Bool { common.json }
    var verbose: Bool { common.verbose }
    var folder: String { common.folder }
    var bootstrap: String? { common.bootstrap }
    var bootstrapNodes: [String] { common.bootstrapNodes }

    /// Where the daemon of the data folder listens.
    var socketPath: String {
        let path = "\(folder)/rpc.sock"
        // The kernel takes at most 107 bytes.
        guard path.utf8.count > 107 else { return path }
        let environment = ProcessInfo.processInfo.environment
        let base = environment["XDG_RUNTIME_DIR"] ?? "/tmp/apus-\(getuid())"
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return "\(base)/apus-\(String(hash, radix: 16)).sock"
    }

    /// A client of the daemon, which is started when it is not running.
    func client() async throws -> ControlClient {
        try await DaemonLauncher(options: self).client()
    }

    /// The parameters of a call, with the chosen account.
    func parameters(_ members: [String: JSONValue] = [:]) -> JSONValue {
        var members = members
        if let account { members["account"] = .string(account) }
        return .object(members)
    }
}
