import ControlAPI
import Foundation

/// Reaches the daemon of a data folder, and starts it when nobody answers.
struct DaemonLauncher {
    /// How long a daemon may take to answer after it was started.
    private static let startLimit = 20.0

    let options: GlobalOptions

    /// A client of a running daemon.
    func client() async throws -> ControlClient {
        let client = ControlClient(path: options.socketPath)
        if await answers(client) { return client }
        try launch()
        let end = Date().addingTimeInterval(Self.startLimit)
        while Date() < end {
            try await Task.sleep(for: .milliseconds(50))
            if await answers(client) { return client }
        }
        throw Failure(
            kind: .unavailable,
            sentence: "The daemon did not start. Its log says why: \(options.folder)/daemon.log"
        )
    }

    /// A client of a daemon that runs already; `nil` when none does.
    func runningClient() async -> ControlClient? {
        let client = ControlClient(path: options.socketPath)
        return await answers(client) ? client : nil
    }

    private func answers(_ client: ControlClient) async -> Bool {
        (try? await client.call("daemon.hello")) != nil
    }

    private func launch() throws {
        try FileManager.default.createDirectory(
            atPath: options.folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let log = "\(options.folder)/daemon.log"
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil, attributes: [.posixPermissions: 0o600])
        }
        guard let output = FileHandle(forWritingAtPath: log) else {
            throw Failure(
                kind: .unavailable,
                sentence: "The log \(log) cannot be written, so the daemon was not started."
            )
        }
        output.seekToEndOfFile()
        let process = Process()
        process.executableURL = try executable()
        var arguments = ["daemon", "run", "--detached", "--data", options.folder]
        if let bootstrap = options.bootstrap { arguments += ["--bootstrap", bootstrap] }
        if let nameServer = options.nameServer { arguments += ["--name-server", nameServer] }
        if options.verbose { arguments.append("--verbose") }
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        try process.run()
    }

    private func executable() throws -> URL {
        if let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
            return URL(fileURLWithPath: path)
        }
        guard let path = Bundle.main.executablePath else {
            throw Failure(
                kind: .unavailable,
                sentence: "The path of this program is unknown; start the daemon by hand: apus daemon run"
            )
        }
        return URL(fileURLWithPath: path)
    }
}
