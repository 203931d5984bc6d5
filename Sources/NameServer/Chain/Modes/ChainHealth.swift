package import Runtime

/// Whether a chain makes progress, judged by the blocks that reach this server.
///
/// Source: names protocol, "Modes".
package struct ChainHealth: Sendable {
    package struct Limits: Sendable {
        /// The age of the newest block, in times of a block, from which the chain stands still.
        package var headAge = 10
        /// How long no block may have become final.
        package var finalAge = Duration.seconds(20 * 60)

        package init() {}
    }

    package let limits: Limits
    package let blockTime: Duration
    private let started: Instant
    private var head: (number: UInt64, arrived: Instant)?
    private var final: (number: UInt64, arrived: Instant)?
    package private(set) var alarm: ChainAlarm?

    package init(blockTime: Duration, started: Instant, limits: Limits = Limits()) {
        self.blockTime = blockTime
        self.started = started
        self.limits = limits
    }

    /// Takes the newest block.
    ///
    /// The first one is as old as it says; others are as old as their arrival, so that a jump of the clock stops nothing.
    package mutating func observe(head number: UInt64, time: WallTime, now: Instant, wallTime: WallTime) {
        guard number != head?.number else { return }
        let age = head == nil ? max(0, wallTime.milliseconds &- time.milliseconds) : 0
        head = (number, now - .milliseconds(age))
    }

    package mutating func observe(final number: UInt64, now: Instant) {
        guard number != final?.number else { return }
        final = (number, now)
    }

    package mutating func observe(alarm: ChainAlarm?) {
        self.alarm = alarm
    }

    /// How long ago the newest block came.
    package func age(now: Instant) -> Duration {
        now - (head?.arrived ?? started)
    }

    /// Why the chain cannot be relied on at present, as a sentence; `nil` when it can.
    package func stall(now: Instant) -> String? {
        if let alarm { return alarm.description }
        guard head != nil else {
            return "No node of the chain has answered yet."
        }
        let age = age(now: now)
        if age > blockTime * limits.headAge {
            return "The chain stands still: its newest block is \(Int(age.inSeconds)) seconds old."
        }
        let finalAge = now - (final?.arrived ?? started)
        if finalAge > limits.finalAge {
            return "No block has become final for \(Int(finalAge.inSeconds)) seconds."
        }
        return nil
    }
}
