import Runtime

/// A connection that is opened again after it broke, not more often than a schedule allows; used by one thread.
struct ConnectionKeeper {
    private let open: @Sendable () throws(NameStoreError) -> any SQLConnection
    private var current: (any SQLConnection)?
    private var backoff = Backoff(initial: .milliseconds(50), cap: .seconds(5))
    private var nextTry: Instant?
    private var lastFailure = NameStoreError.closed
    private var randomness = Randomness.secure

    init(open: @escaping @Sendable () throws(NameStoreError) -> any SQLConnection) {
        self.open = open
    }

    /// The connection; throws at once while it is too early to try again.
    mutating func connection(now: Instant) throws(NameStoreError) -> any SQLConnection {
        if let current, !current.isBroken { return current }
        current?.close()
        current = nil
        if let nextTry, now < nextTry { throw lastFailure }
        do throws(NameStoreError) {
            let opened = try open()
            current = opened
            backoff.reset()
            nextTry = nil
            return opened
        } catch {
            lastFailure = error
            nextTry = now + backoff.next(using: &randomness)
            throw error
        }
    }

    mutating func close() {
        current?.close()
        current = nil
    }
}
