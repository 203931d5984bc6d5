import Foundation
import JSON

/// What a real Jami daemon does with names.
extension JamiPeer {
    /// The daemon's words for how a look-up has ended.
    public enum LookUpStatus: Int64, Sendable {
        case found = 0
        case invalid = 1
        case notFound = 2
        case error = 3
    }

    /// The daemon's words for how a registration has ended.
    public enum RegistrationStatus: Int64, Sendable {
        case registered = 0
        case wrongPassword = 1
        case invalidName = 2
        case taken = 3
        case error = 4
    }

    public struct LookUp: Equatable, Sendable {
        public let status: LookUpStatus?
        public let address: String
        public let name: String

        public init(_ status: LookUpStatus?, address: String, name: String) {
            self.status = status
            self.address = address
            self.name = name
        }
    }

    /// Registers a name, and waits until the daemon says how that has ended.
    public func register(_ name: String, password: String = "", of account: Account) async throws -> RegistrationStatus? {
        let arguments = try await nextEvent("nameRegistrationEnded") {
            try await call("registerName", [.string(account.local), .string(password), .string(name)])
        }
        return arguments.dropFirst().first?.integer.flatMap { RegistrationStatus(rawValue: $0) }
    }

    /// Looks a name up at the account's server, or at the one behind `@` in it.
    public func lookUp(name: String, of account: Account) async throws -> LookUp {
        try await lookUp("lookupName", name, account)
    }

    public func lookUp(address: String, of account: Account) async throws -> LookUp {
        try await lookUp("lookupAddress", address, account)
    }

    private func lookUp(_ method: String, _ subject: String, _ account: Account) async throws -> LookUp {
        let arguments = try await nextEvent("registeredNameFound") {
            try await call(method, [.string(account.local), "", .string(subject)])
        }
        guard arguments.count == 4 else { throw PeerError("jamid: registeredNameFound has \(arguments.count) arguments") }
        return LookUp(
            arguments[1].integer.flatMap { LookUpStatus(rawValue: $0) },
            address: arguments[2].string ?? "",
            name: arguments[3].string ?? ""
        )
    }

    /// Removes the daemon's cache of names, while it is stopped.
    public func forgetNames() throws {
        let cache = URL(filePath: "\(folder)/cache")
        let found = FileManager.default.enumerator(at: cache, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL }
        for folder in found ?? [] where folder.lastPathComponent == "namecache" {
            try FileManager.default.removeItem(at: folder)
        }
    }

    /// The arguments of the first signal of a name that follows a call.
    private func nextEvent(_ event: String, after call: () async throws -> Void) async throws -> [JSONValue] {
        let before = events(event).count
        try await call()
        return try await eventually(within: .seconds(60), every: .milliseconds(20), "jamid raises \(event)") {
            let now = events(event)
            return now.count > before ? now[before] : nil
        }
    }
}
