/// Runs work that ends with its task's cancellation, and cancels it after a time.
func withDeadline<Value: Sendable>(
    _ limit: Duration,
    _ work: @escaping @Sendable () async throws(NodeError) -> Value
) async throws(NodeError) -> Value {
    let outcome = await withTaskGroup(of: Result<Value, NodeError>.self) { group in
        group.addTask {
            do throws(NodeError) {
                return .success(try await work())
            } catch {
                return .failure(error)
            }
        }
        group.addTask {
            do {
                try await Task.sleep(for: limit)
                return .failure(.timedOut)
            } catch {
                return .failure(.cancelled)
            }
        }
        let first = await group.next() ?? .failure(.cancelled)
        group.cancelAll()
        return first
    }
    return try outcome.get()
}
