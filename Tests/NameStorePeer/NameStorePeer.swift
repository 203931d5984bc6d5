import Ethereum
import Foundation
import Keys
import NameRegistry
import NameServer
import NameServerPostgreSQL
import Runtime

/// A store in a process of its own, which a test lets die in the middle of a commit.
///
/// Arguments: `sqlite` or `postgreSQL`, the path or connection string, the log's path, and the step at which the process
/// kills itself with the given commit (`-` and 0 for never). It registers the names that it reads, a line each, and
/// writes each one back once the store has acknowledged it. At the end of its input it closes the store.
/// With `dual` as the first argument it is a ``DualPeer``.
@main
struct NameStorePeer {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.dropFirst().first != "dual" else { return try await DualPeer.run(arguments) }
        guard arguments.count == 6, let deadly = Int(arguments[5]) else { exit(2) }
        let death = Death(arguments[4], deadly, isArmed: true)
        let store = try await open(arguments) { (step) throws(NameStoreError) in death.reached(step.rawValue) }
        Self.say("ready")
        try await withThrowingDiscardingTaskGroup { group in
            for await line in Self.input {
                let registration = try Self.registration(line)
                group.addTask {
                    _ = try await store.register(registration, chained: true, at: SystemTime().wallTime)
                    Self.say(line)
                }
            }
        }
        await store.close()
    }

    private static func open(_ arguments: [String], steps: @escaping StoreSteps) async throws -> SQLNameStore {
        switch arguments[1] {
        case "sqlite":
            try await SQLNameStore.sqlite(.init(path: arguments[2], logPath: arguments[3]), steps: steps)
        case "postgreSQL":
            try await SQLNameStore.postgreSQL(.init(connection: arguments[2], logPath: arguments[3]), steps: steps)
        default: exit(2)
        }
    }

    static func registration(_ text: String) throws -> Registration {
        guard let name = Name(canonical: text) else { exit(2) }
        return Registration(
            name: name,
            account: InfoHash(hashing: text),
            owner: Address(InfoHash(hashing: text + " owner")),
            evidence: nil
        )
    }

    /// The lines of the standard input, read on a thread that may wait.
    static var input: AsyncStream<String> {
        AsyncStream { continuation in
            Thread.detachNewThread {
                while let line = readLine() { continuation.yield(line) }
                continuation.finish()
            }
        }
    }

    static func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }
}
