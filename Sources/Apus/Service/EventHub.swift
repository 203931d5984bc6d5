/// Wakes those who wait for events of an account.
///
/// The events themselves are rows; a wake-up only says that there may be new ones, so a slow client costs one bit.
package actor EventHub {
    private var waiting: [Int: AsyncStream<Void>.Continuation] = [:]
    private var next = 0
    private var isClosed = false

    package init() {}

    /// A stream of wake-ups that ends with the account.
    package func subscribe() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        guard !isClosed else {
            continuation.finish()
            return stream
        }
        let number = next
        next += 1
        waiting[number] = continuation
        continuation.onTermination = { _ in Task { await self.leave(number) } }
        return stream
    }

    package func wake() {
        for continuation in waiting.values { continuation.yield() }
    }

    package func close() {
        isClosed = true
        for continuation in waiting.values { continuation.finish() }
        waiting = [:]
    }

    private func leave(_ number: Int) {
        waiting[number] = nil
    }
}
