import NIOCore

/// The connections of one event loop: their deadlines, and who must go when there are too many.
///
/// Belongs to its event loop.
final class LoopConnections {
    let listener: NameServerListener
    let responder: any RequestResponder
    let eventLoop: any EventLoop
    /// Above this number those go that have waited longest without a request.
    let limit: Int
    private var connections: [ConnectionHandler] = []
    private var sweeping: RepeatedTask?

    static let sweepInterval = TimeAmount.milliseconds(250)

    init(eventLoop: any EventLoop, listener: NameServerListener, responder: any RequestResponder, limit: Int) {
        self.eventLoop = eventLoop
        self.listener = listener
        self.responder = responder
        self.limit = max(1, limit)
    }

    func start() {
        let connections = NIOLoopBound(self, eventLoop: eventLoop)
        sweeping = eventLoop.scheduleRepeatedTask(
            initialDelay: Self.sweepInterval,
            delay: Self.sweepInterval
        ) { _ in
            connections.value.sweep(at: .now())
        }
    }

    func stop() {
        sweeping?.cancel()
        sweeping = nil
    }

    func add(_ connection: ConnectionHandler) {
        connection.index = connections.count
        connections.append(connection)
        let counters = responder.counters
        ServerCounters.add(counters.connections)
        ServerCounters.add(counters.openConnections)
        if connections.count > limit { evict() }
    }

    func remove(_ connection: ConnectionHandler) {
        guard let index = connection.index, connections.indices.contains(index) else { return }
        connection.index = nil
        let last = connections.removeLast()
        if last !== connection {
            connections[index] = last
            last.index = index
        }
        ServerCounters.add(responder.counters.openConnections, -1)
    }

    func closeAll() {
        for connection in connections { connection.closeAtOnce() }
    }

    private func sweep(at now: NIODeadline) {
        // Closing takes a connection out of the list.
        for connection in connections.filter({ $0.deadline <= now }) { connection.deadlineHasPassed() }
    }

    private func evict() {
        let idle = connections.filter(\.isWaitingForRequest).sorted { $0.waitingSince < $1.waitingSince }
        for connection in idle.prefix(max(1, limit / 32)) {
            ServerCounters.add(responder.counters.evictedConnections)
            connection.closeAtOnce()
        }
    }
}
