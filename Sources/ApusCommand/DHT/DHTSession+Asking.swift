import DHT

extension DHTSession {
    /// A question to the network, with its limit of time and a word about it on a terminal.
    func asking<T: Sendable>(
        _ progressText: String,
        _ ask: @escaping @Sendable (DHTNode) async throws(DHTError) -> [T]
    ) async throws -> [T] {
        let progress = Progress(isQuiet: options.json)
        progress.show(progressText)
        defer { progress.clear() }
        let node = node
        let search = Task { try await ask(node) }
        // What is cancelled gives what it has found.
        let alarm = Task { [options] in
            try await Task.sleep(for: options.patience)
            search.cancel()
        }
        defer { alarm.cancel() }
        do {
            return try await search.value
        } catch let error as DHTError {
            throw Failure(error)
        }
    }
}
