import Synchronization

/// Bytes received and not consumed yet, over all channels of a connection: when to stop reading and when to go on.
package struct ReadBudget: Sendable {
    package let high: Int
    package let low: Int
    package private(set) var pending = 0
    package private(set) var isPaused = false

    package init(high: Int = MultiplexLimits.pendingHigh, low: Int = MultiplexLimits.pendingLow) {
        self.high = high
        self.low = low
    }

    /// - Returns: whether reading has to stop now.
    package mutating func add(_ cost: Int) -> Bool {
        pending += cost
        guard pending > high, !isPaused else { return false }
        isPaused = true
        return true
    }

    /// - Returns: whether reading may go on now.
    package mutating func release(_ cost: Int) -> Bool {
        pending = max(0, pending - cost)
        guard isPaused, pending <= low else { return false }
        isPaused = false
        return true
    }
}

/// The received pieces of one channel, between the event loop and one consumer.
final class ByteInbox: Sendable {
    fileprivate struct State {
        var pieces: [[UInt8]] = []
        var next = 0
        var isEnded = false
        var isAbandoned = false
        var waiter: CheckedContinuation<[UInt8]?, Never>?
    }

    private let state = Mutex(State())
    private let release: @Sendable (Int) -> Void

    /// - Parameter release: called with the cost of what has been consumed.
    init(release: @escaping @Sendable (Int) -> Void) {
        self.release = release
    }

    deinit {
        abandon()
    }

    /// What a piece counts, with the memory that keeping it takes.
    static func cost(of piece: [UInt8]) -> Int { piece.count + 64 }

    func deliver(_ piece: [UInt8]) {
        let (waiter, isDropped) = state.withLock { state -> (CheckedContinuation<[UInt8]?, Never>?, Bool) in
            guard !state.isEnded, !state.isAbandoned else { return (nil, true) }
            if let waiter = state.waiter {
                state.waiter = nil
                return (waiter, false)
            }
            state.pieces.append(piece)
            return (nil, false)
        }
        if waiter != nil || isDropped { release(Self.cost(of: piece)) }
        waiter?.resume(returning: piece)
    }

    /// Ends the sequence behind the pieces that are there.
    func finish() {
        let waiter = state.withLock { state in
            state.isEnded = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    /// Drops what is there and everything that comes.
    func abandon() {
        let (waiter, cost) = state.withLock { state in
            let cost = state.pieces[state.next...].reduce(0) { $0 + Self.cost(of: $1) }
            let waiter = state.waiter
            state = State(isEnded: true, isAbandoned: true)
            return (waiter, cost)
        }
        waiter?.resume(returning: nil)
        if cost > 0 { release(cost) }
    }

    func next() async -> [UInt8]? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (answer, isWaiting) = state.withLock { state -> ([UInt8]?, Bool) in
                    if state.next < state.pieces.count { return (state.takePiece(), false) }
                    if state.isEnded || state.waiter != nil || Task.isCancelled { return (nil, false) }
                    state.waiter = continuation
                    return (nil, true)
                }
                guard !isWaiting else { return }
                if let answer { release(Self.cost(of: answer)) }
                continuation.resume(returning: answer)
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: nil)
        }
    }
}

extension ByteInbox.State {
    fileprivate mutating func takePiece() -> [UInt8] {
        let piece = pieces[next]
        pieces[next] = []
        next += 1
        if next == pieces.count || next > 64 && next * 2 > pieces.count {
            pieces.removeFirst(next)
            next = 0
        }
        return piece
    }
}
