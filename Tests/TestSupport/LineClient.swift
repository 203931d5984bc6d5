public import JSON
import Synchronization

/// A program that answers JSON requests, a line an object, and reports events in between.
///
/// Requests carry an `id`; answers carry it back with `result` or `error`; events carry `event`.
public final class LineClient: Sendable {
    public let process: ChildProcess
    /// Every event since the start.
    public let events: Mailbox<JSONValue>
    private let answers: Mailbox<JSONValue>
    private let lastID = Mutex(Int64(0))

    /// Starts the program and waits until it reports that it is ready.
    public static func start(
        _ arguments: [String],
        errorLog: String,
        within timeout: Duration = .seconds(60)
    ) async throws -> LineClient {
        let client = try LineClient(arguments, errorLog: errorLog)
        let isReady = await client.events.first(within: timeout) { $0["event"]?.string == "ready" }
        guard isReady != nil else {
            await client.process.stop()
            throw PeerError("\(arguments.joined(separator: " ")) did not become ready; see \(errorLog)")
        }
        return client
    }

    private init(_ arguments: [String], errorLog: String) throws {
        let (events, answers) = (Mailbox<JSONValue>(), Mailbox<JSONValue>())
        (self.events, self.answers) = (events, answers)
        process = try ChildProcess(
            arguments,
            hasInput: true,
            output: .lines { line in
                guard let value = JSONValue(parsing: line) else { return }
                if value["event"] != nil { events.post(value) } else { answers.post(value) }
            },
            error: .file(errorLog)
        )
        let process = process
        Task {
            await process.waitForOutputEnd(within: .seconds(86_400))
            events.close()
            answers.close()
        }
    }

    @discardableResult
    public func request(_ members: [String: JSONValue], within timeout: Duration = .seconds(60)) async throws
        -> JSONValue
    {
        let id = lastID.withLock { last in
            last += 1
            return last
        }
        var members = members
        members["id"] = .integer(id)
        guard process.send(JSONValue.object(members).line) else { throw PeerError("\(process.name) does not listen") }
        guard let answer = await answers.first(within: timeout, where: { $0["id"] == .integer(id) }) else {
            throw PeerError("\(process.name) did not answer within \(timeout): \(JSONValue.object(members).line)")
        }
        if let error = answer["error"]?.string { throw PeerError("\(process.name): \(error)") }
        return answer["result"] ?? .null
    }
}
