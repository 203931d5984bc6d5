import Runtime

/// The parts of values that wait to be sent, so that they do not leave all at once.
///
/// A value of 60 KB for eight nodes is four hundred datagrams: more than the buffers of many receivers and routers hold. A
/// first handful goes out at once, and then so many in each millisecond: to each receiver, and in all. Receivers take turns, and
/// the parts of one message keep their order, which older readers need. Source: DHT protocol, "Value arrays and
/// fragmentation".
struct PartQueue: Sendable {
    struct Key: Hashable, Sendable {
        let receiver: Endpoint
        let transaction: UInt32
    }

    struct Part: Sendable {
        let key: Key
        let index: Int
        let range: Range<Int>
        let value: [UInt8]
        /// The last one of its message.
        let isLast: Bool
    }

    private struct Stream: Sendable {
        let key: Key
        let values: [[UInt8]]
        var index = 0
        var offset = 0
    }

    /// Parts that may go out, refilled with time.
    private struct Allowance: Sendable {
        private(set) var parts: Int
        private var refilled: Instant

        init(_ flow: PacingLimits.Flow, now: Instant) {
            parts = flow.burst
            refilled = now
        }

        mutating func refill(_ flow: PacingLimits.Flow, now: Instant) {
            let pauses = Int((now.nanoseconds &- refilled.nanoseconds) / PartQueue.pause.wholeNanoseconds)
            guard pauses > 0 else { return }
            parts = pauses >= flow.burst ? flow.burst : min(parts + pauses * flow.partsPerPause, flow.burst)
            refilled = pauses >= flow.burst ? now : refilled + PartQueue.pause * pauses
        }

        mutating func spend(_ flow: PacingLimits.Flow, now: Instant) -> Bool {
            refill(flow, now: now)
            guard parts > 0 else { return false }
            parts -= 1
            return true
        }
    }

    /// Between two helpings.
    static let pause = Duration.milliseconds(1)

    private let limits: PacingLimits
    private var streams: [Stream] = []
    private var keys: Set<Key> = []
    private var bytes = 0
    private var total: Allowance
    private var receivers: [Endpoint: Allowance] = [:]
    private var next = 0

    init(limits: PacingLimits = PacingLimits()) {
        self.limits = limits
        total = Allowance(limits.total, now: Instant())
    }

    var isEmpty: Bool { streams.isEmpty }

    func contains(_ key: Key) -> Bool { keys.contains(key) }

    /// Lets the values of a message follow it.
    ///
    /// What waits already is not sent twice: a message that is sent again finds its parts on their way.
    mutating func append(_ values: [[UInt8]], for key: Key) {
        let size = values.reduce(0) { $0 + $1.count }
        guard size > 0, streams.count < limits.messages, bytes + size <= limits.bytes,
            keys.insert(key).inserted
        else { return }
        bytes += size
        streams.append(Stream(key: key, values: values))
    }

    /// Forgets the parts of a message that nobody waits for any more.
    mutating func remove(_ key: Key) {
        guard keys.contains(key), let position = streams.firstIndex(where: { $0.key == key }) else { return }
        remove(at: position)
    }

    private mutating func remove(at position: Int) {
        let stream = streams.remove(at: position)
        keys.remove(stream.key)
        bytes -= stream.values.reduce(0) { $0 + $1.count }
        if position < next { next -= 1 }
    }

    /// The next part that may go out now; `nil` when all have to wait.
    mutating func take(now: Instant) -> Part? {
        guard !streams.isEmpty else { return nil }
        total.refill(limits.total, now: now)
        guard total.parts > 0 else { return nil }
        for _ in streams.indices {
            if next >= streams.count { next = 0 }
            if spend(for: streams[next].key.receiver, now: now) {
                _ = total.spend(limits.total, now: now)
                return advance()
            }
            next += 1
        }
        return nil
    }

    private mutating func spend(for receiver: Endpoint, now: Instant) -> Bool {
        if receivers[receiver] == nil, receivers.count >= limits.receivers { forgetIdleReceivers(now: now) }
        return receivers[receiver, default: Allowance(limits.receiver, now: now)].spend(limits.receiver, now: now)
    }

    private mutating func forgetIdleReceivers(now: Instant) {
        receivers = receivers.filter { entry in
            var allowance = entry.value
            allowance.refill(limits.receiver, now: now)
            return allowance.parts < limits.receiver.burst
        }
    }

    private mutating func advance() -> Part {
        let stream = streams[next]
        let value = stream.values[stream.index]
        let end = min(stream.offset + WireConstants.partSize, value.count)
        let isLastOfValue = end == value.count
        let isLast = isLastOfValue && stream.index + 1 == stream.values.count
        if isLast {
            remove(at: next)
        } else {
            streams[next].offset = isLastOfValue ? 0 : end
            streams[next].index += isLastOfValue ? 1 : 0
            next += 1
        }
        return Part(key: stream.key, index: stream.index, range: stream.offset..<end, value: value, isLast: isLast)
    }
}

/// How fast the parts of values leave.
package struct PacingLimits: Sendable {
    package struct Flow: Sendable {
        /// Parts at once, after a pause.
        package var burst: Int
        /// Parts in each millisecond after that.
        package var partsPerPause: Int
    }

    /// A small receive buffer holds less than a hundred datagrams of this size.
    package var receiver = Flow(burst: 32, partsPerPause: 8)
    package var total = Flow(burst: 128, partsPerPause: 32)
    /// Messages whose parts wait.
    package var messages = 4096
    /// Receivers that are told apart, unless more are busy at the same time.
    package var receivers = 1024
    /// Bytes of the values that wait; the same value for several receivers counts for each, though it is kept once.
    package var bytes = 64 << 20

    package init() {}
}
