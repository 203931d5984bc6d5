import Apus
import ArgumentParser
import ControlAPI
import Foundation
import JSON
import Logging
import NIOPosix

/// The process that keeps accounts online.
struct DaemonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "daemon",
        abstract: "Run, look at or stop the daemon.",
        subcommands: [Run.self, Stop.self]
    )

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Run the daemon in the foreground.")

        @OptionGroup var options: GlobalOptions

        @Flag(help: .hidden)
        var detached = false

        func run() async throws {
            if detached { setsid() }
            // A client that goes away while it is answered must not end the daemon.
            signal(SIGPIPE, SIG_IGN)
            let isVerbose = options.verbose
            LoggingSystem.bootstrap { label in
                var handler = StreamLogHandler.standardError(label: label)
                handler.logLevel = isVerbose ? .debug : .notice
                return handler
            }
            let lock = try FolderLock(folder: options.folder)
            defer { lock.release() }
            let logger = Logger(label: "apus")
            let service = try ApusService(
                folder: options.folder,
                options: ApusService.Options(
                    bootstrap: options.bootstrapNodes,
                    discovery: true,
                    nameServers: try NameSettings.servers(options),
                    nameTrust: try NameSettings.trust(nil)
                ),
                group: MultiThreadedEventLoopGroup.singleton,
                logger: logger
            )
            let signals = StopSignals()
            let methods = ControlMethods(service: service) { signals.stop() }
            let server = ControlServer(
                path: options.socketPath,
                group: MultiThreadedEventLoopGroup.singleton,
                logger: logger
            ) { request, peer in
                try await methods.answer(request, for: peer)
            }
            try await service.start()
            try await server.start()
            if !detached {
                Output.say("Apus runs in \(options.folder). Talk to it with the other commands; end it with Ctrl-C.")
            }
            await signals.wait()
            // The answer to the client that asked for the end is on its way.
            try? await Task.sleep(for: .milliseconds(50))
            await server.stop()
            await service.stop()
        }
    }

    struct Stop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Stop the daemon in good order.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            guard let client = await DaemonLauncher(options: options).runningClient() else {
                Output.line("The daemon is not running.", json: ["stopped": .boolean(false)], options)
                return
            }
            _ = try await client.call("daemon.stop")
            let end = Date().addingTimeInterval(10)
            while Date() < end, await DaemonLauncher(options: options).runningClient() != nil {
                try await Task.sleep(for: .milliseconds(50))
            }
            // The lock is given back last, when everything is on disk.
            while Date() < end, !FolderLock.isFree(folder: options.folder) {
                try await Task.sleep(for: .milliseconds(20))
            }
            Output.line("The daemon has stopped.", json: ["stopped": .boolean(true)], options)
        }
    }
}

/// Keeps two daemons or servers from the same data folder.
final class FolderLock {
    private static let daemonFile = "daemon.lock"
    private let descriptor: Int32

    convenience init(folder: String) throws {
        let taken = Failure(kind: .refused, sentence: "Another daemon uses \(folder) already.")
        try self.init(folder: folder, file: Self.daemonFile, taken: taken)
    }

    /// - Parameter taken: What is thrown when another process holds the lock.
    init(folder: String, file: String, taken: Failure) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw Failure(kind: .refused, sentence: "The data folder \(folder) cannot be made.")
        }
        let descriptor = Self.open("\(folder)/\(file)")
        guard descriptor >= 0 else {
            throw Failure(kind: .refused, sentence: "The data folder \(folder) cannot be written.")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw taken
        }
        self.descriptor = descriptor
    }

    func release() {
        close(descriptor)
    }

    static func isFree(folder: String) -> Bool {
        let descriptor = open("\(folder)/\(daemonFile)")
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    private static func open(_ path: String) -> Int32 {
        unsafe Foundation.open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    }
}
