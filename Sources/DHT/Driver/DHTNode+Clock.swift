extension DHTNode {
    /// Does at once what is due by now, after the clock was put forward.
    package func clockMoved() {
        guard isRunning else { return }
        turn { core, now in core.timer(now: now) }
    }
}
