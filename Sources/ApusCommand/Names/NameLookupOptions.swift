import Apus
import ArgumentParser
import ControlAPI
import Foundation
import JSON
import Names

/// Whom a command asks for names, and what it believes.
struct NameLookupOptions: ParsableArguments {
    @Option(
        name: .customLong("server"),
        help: "A name server to ask; may be given several times (default: the account's)."
    )
    var servers: [String] = []

    @Option(help: "The file with trust settings (default: $XDG_CONFIG_HOME/apus/names.json, if there is one).")
    var trust: String?

    /// The servers that were chosen, or those of the account, or Jami's.
    func addresses(_ options: GlobalOptions) async throws -> [NameServerAddress] {
        if !servers.isEmpty { return try servers.map { try Self.address($0) } }
        let chosen = try NameSettings.servers(options)
        if !chosen.isEmpty { return chosen }
        guard let client = await DaemonLauncher(options: options).runningClient(),
            let accounts = try? await client.call("account.list").decode([AccountInfo].self)
        else { return [.standard] }
        let account = accounts.first { account in
            guard let wanted = options.account else { return true }
            return [account.account, account.id].contains(wanted) || account.alias.lowercased() == wanted.lowercased()
        }
        return [account.flatMap { NameServerAddress($0.nameServer) } ?? .standard]
    }

    func directory(_ options: GlobalOptions) async throws -> NameDirectory {
        NameDirectory(
            NameDirectory.Configuration(
                servers: try await addresses(options),
                cacheFolder: "\(options.folder)/\(NameDirectory.folderName)",
                trust: try NameSettings.trust(trust)
            )
        )
    }

    static func address(_ text: String) throws -> NameServerAddress {
        guard let address = NameServerAddress(text) else {
            throw Failure(kind: .usage, sentence: NameQueryError.notAServer(text).sentence)
        }
        return address
    }
}

/// Settings about names that hold for the whole installation.
enum NameSettings {
    /// The servers of the option or the environment, separated by commas; none leaves it to the accounts.
    static func servers(_ options: GlobalOptions) throws -> [NameServerAddress] {
        let text = options.nameServer ?? ProcessInfo.processInfo.environment["APUS_NAME_SERVER"] ?? ""
        return try text.split(separator: ",").map { try NameLookupOptions.address(String($0)) }
    }

    /// The trust settings of a file, or of the file where they usually are; `nil` when there are none.
    static func trust(_ path: String?) throws -> NameTrust? {
        do throws(NameTrustError) {
            if let path { return try NameTrust.load(path) }
            let environment = ProcessInfo.processInfo.environment
            let base =
                environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
                ?? "\(environment["HOME"] ?? NSHomeDirectory())/.config"
            return try NameTrust.load("\(base)/apus/names.json")
        } catch {
            if path == nil, case .notFound = error { return nil }
            throw Failure(kind: .usage, sentence: error.sentence)
        }
    }
}
