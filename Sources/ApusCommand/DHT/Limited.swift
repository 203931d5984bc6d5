import DHT

/// Work with a deadline.
enum Limited {
    /// The result of some work, or a failure when it takes too long.
    ///
    /// The work is told of its end by cancellation, and not waited for: it must end by itself.
    static func run<T: Sendable>(
        within limit: Duration,
        orThrow failure: Failure,
        _ work: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        let (results, result) = AsyncStream.makeStream(
            of: Result<T, any Error>.self,
            bufferingPolicy: .bufferingOldest(1)
        )
        let worker = Task {
            do {
                result.yield(.success(try await work()))
            } catch {
                result.yield(.failure(error))
            }
        }
        let alarm = Task {
            try await Task.sleep(for: limit)
            result.yield(.failure(failure))
        }
        defer {
            worker.cancel()
            alarm.cancel()
        }
        for await first in results { return try first.get() }
        throw failure
    }
}

extension Failure {
    init(_ error: DHTError) {
        self.init(kind: error.code == .unreachable ? .notYet : .refused, sentence: "\(error.reason).")
    }
}
