import Dispatch

/// Runs work that keeps a processor busy for long, such as making keys, beside the threads that serve everybody.
enum BlockingWork {
    private static let queue = DispatchQueue(
        label: "apus.identity.blocking",
        qos: .userInitiated,
        attributes: .concurrent
    )

    static func run<Value: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Value, Failure>, Never>) in
            queue.async { continuation.resume(returning: Result(catching: work)) }
        }
        return try result.get()
    }
}
