import Ethereum
import Foundation
import Keys
import NameRegistry
import NameServer
import NameServerPostgreSQL
import Runtime
import Synchronization

/// A store in a process of its own, which a test lets die in the middle of a commit.
///
/// Arguments: `sqlite` or `postgreSQL`, the path or connection string, the log's path, and the step at which the process
/// kills itself with the given commit (`-` and 0 for never). It registers the names that it reads, a line each, and
/// writes each one back once the store has acknowledged it. At the end of its input it closes the store.
@main
struct NameStorePeer {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 6, let deadly = Int(arguments[5]) else { exit(2) }
        let store = try await open(arguments, steps: Self.steps(StoreStep(rawValue: arguments[4]), deadly))
        Self.say("ready")
        try await withThrowingDiscardingTaskGroup { group in
            for await line in Self.input {
                guard let name = Name(canonical: line) else { exit(2) }
                group.addTask {
                    let registration = Registration(
                        name: name,
                        account: InfoHash(hashing: line),
                        owner: Address(InfoHash(hashing: line + " owner")),
                        evidence: nil
                    )
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

    /// Kills the process when a step comes for the n-th time.
    private static func steps(_ deadlyStep: StoreStep?, _ deadly: Int) -> StoreSteps {
        let count = Counter()
        return { (step) throws(NameStoreError) in
            guard step == deadlyStep, count.next() == deadly else { return }
            kill(getpid(), SIGKILL)
        }
    }

    private final class Counter: Sendable {
        private let value = Mutex(0)

        func next() -> Int {
            value.withLock { value in
                value += 1
                return value
            }
        }
    }

    /// The lines of the standard input, read on a thread that may wait.
    private static var input: AsyncStream<String> {
        AsyncStream { continuation in
            Thread.detachNewThread {
                while let line = readLine() { continuation.yield(line) }
                continuation.finish()
            }
        }
    }

    private static func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }
}
