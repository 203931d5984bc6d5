import DHT
import Runtime

/// Work with a deadline.
enum Limited {
    static func run<T: Sendable>(
        within limit: Duration,
        orThrow failure: Failure,
        _ work: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        try await withThrowingTaskGroup(of: T.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw failure
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw failure }
            return first
        }
    }
}

extension Failure {
    init(_ error: DHTError) {
        self.init(kind: error.code == .unreachable ? .notYet : .refused, sentence: "\(error.reason).")
    }
}

/// Numbers in sentences.
enum Phrase {
    /// Like “35 ms”, “1.2 s”.
    static func time(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMilliseconds
        guard milliseconds >= 1000 else { return "\(milliseconds) ms" }
        return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
    }

    /// Seconds, to the millisecond.
    static func number(_ duration: Duration) -> Double {
        Double(duration.wholeMilliseconds) / 1000
    }
}
