import Foundation

/// Debian's `dhtnode`, driven through its shell.
struct DHTNodeProgram {
    let program: PeerProgram
    let port: Int
    /// The short id of its key, in hex; `nil` without an identity.
    let keyID: String?

    static let path = PeerProgram.path(of: "dhtnode")

    /// Starts a node, on a port that the system chooses unless one is given; a state file is read, and written at the end.
    static func start(
        port: Int = 0,
        bootstrap: Int? = nil,
        hasIdentity: Bool = false,
        network: UInt32 = 0,
        state: String? = nil
    ) async throws
        -> DHTNodeProgram
    {
        guard let path else { throw PeerProgram.Gone(description: "dhtnode is not installed") }
        var arguments = ["-n", "\(network)", "-p", "\(port)"]
        if let bootstrap { arguments += ["-b", "127.0.0.1:\(bootstrap)"] }
        if hasIdentity { arguments.append("-i") }
        if let state { arguments += ["-f", state] }
        let program = try PeerProgram(path, arguments)
        let first = try await program.line { $0.contains("running on port") }
        guard let port = first.split(separator: " ").last.flatMap({ Int($0) }) else {
            throw PeerProgram.Gone(description: "dhtnode does not say its port")
        }
        var keyID: String?
        if hasIdentity {
            let line = try await program.line { $0.hasPrefix("Public key ID") }
            keyID = line.split(separator: " ").last.map { String($0) }
        }
        return DHTNodeProgram(program: program, port: port, keyID: keyID)
    }

    /// Ends the node in the way that has it save its state; returns when it is gone.
    func quit() async throws {
        try program.send("x")
        _ = try? await program.line { _ in false }
    }
}
