import Dispatch
import Foundation
import Synchronization

/// SIGINT and SIGTERM as elements of a sequence instead of the end of the process.
final class StopSignals: Sendable {
    let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let sources: Mutex<[any DispatchSourceSignal]>

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.stream = stream
        self.continuation = continuation
        sources = Mutex(
            [SIGINT, SIGTERM].map { number in
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { continuation.yield() }
                source.resume()
                return source
            }
        )
    }

    /// Asks for the end from inside the process.
    func stop() {
        continuation.yield()
    }

    /// Returns with the first signal, at the latest after the given time.
    func wait(atMost limit: Duration? = nil) async {
        let alarm = limit.map { limit in
            Task { [continuation] in
                try await Task.sleep(for: limit)
                continuation.yield()
            }
        }
        for await _ in stream { break }
        alarm?.cancel()
    }

    deinit {
        sources.withLock { for source in $0 { source.cancel() } }
    }
}
