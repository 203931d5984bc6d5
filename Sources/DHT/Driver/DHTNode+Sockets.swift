import Logging
import NIOCore
import NIOPosix
import Runtime

extension DHTNode {
    func host(_ family: Endpoint.Family) -> String? {
        family == .ipv4 ? configuration.bindAddress : configuration.bindAddress6
    }

    func openFirstSocket(of family: Endpoint.Family, at host: String) async throws {
        if family == .ipv6, configuration.port == 0, boundPort != 0 {
            do {
                return try await openSocket(of: family, at: host, port: boundPort)
            } catch {
                logger.debug("the port of IPv4 is not free for IPv6", metadata: ["port": "\(boundPort)"])
            }
        }
        try await openSocket(of: family, at: host, port: configuration.port)
    }

    private func openSocket(of family: Endpoint.Family, at host: String, port: Int) async throws {
        let opened = try DatagramSocket(bindingTo: host, family: family, port: port)
        let bound = try await DatagramBootstrap(group: eventLoop)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65_536))
            .channelOption(.socketOption(.so_rcvbuf), value: 4 << 20)
            .channelOption(.socketOption(.so_sndbuf), value: 4 << 20)
            // What does not fit into the system's buffers waits here.
            .channelOption(.writeBufferWaterMark, value: .init(low: 1 << 20, high: 8 << 20))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramHandler(node: self, family: family))
                }
            }
            .withBoundSocket(opened.descriptor)
            .get()
        guard state == .running, sockets[family] == nil else {
            try? await bound.close()
            return
        }
        let socket = FamilySocket(socket: opened, channel: bound)
        sockets[family] = socket
        boundPorts[family] = socket.port
    }

    func received(_ buffer: ByteBuffer, from sender: Endpoint) {
        guard state == .running else { return }
        beginTurn()
        core.receive(buffer.readableBytesSpan, from: sender, now: now)
    }

    /// Reads what came behind the datagram that the channel read.
    ///
    /// What does not fit into some batches waits, so that timers and commands get their turn.
    func readMore(_ family: Endpoint.Family) {
        guard let socket = sockets[family]?.socket else { return endTurn() }
        for _ in 0..<4 {
            guard state == .running else { break }
            beginTurn()
            let count = batch.receive(from: socket) { core.receive($0, from: $1, now: now) }
            endTurn()
            guard count == DatagramBatch.capacity else { break }
        }
    }

    func flush() {
        guard !core.outbox.isEmpty else { return }
        defer { core.outbox.removeAll() }
        var waiting = core.outbox.datagrams[...]
        while let first = waiting.first {
            let family = first.receiver.family
            let end = waiting.firstIndex { $0.receiver.family != family } ?? waiting.endIndex
            sockets[family]?.send(waiting[..<end], of: core.outbox.bytes, batch) { unreachable.insert($0) }
            waiting = waiting[end...]
        }
    }

    /// Opens the socket again after the system closed it.
    func socketClosed(_ family: Endpoint.Family) {
        guard state == .running else { return }
        sockets[family] = nil
        let wait = time.now - lastReopening[family] < .seconds(1) ? TimeAmount.seconds(1) : .zero
        eventLoop.scheduleTask(in: wait) { [weak self] in
            guard let self else { return }
            // Ends by itself: binding either succeeds or fails.
            Task { await self.reopen(family) }
        }
    }

    private func reopen(_ family: Endpoint.Family) async {
        guard state == .running, sockets[family] == nil, let host = host(family) else { return }
        lastReopening[family] = time.now
        do {
            try await openSocket(of: family, at: host, port: boundPorts[family])
            endTurn()
        } catch {
            logger.warning("cannot reopen the socket", metadata: ["error": "\(error)"])
            eventLoop.scheduleTask(in: .seconds(1)) { [weak self] in self?.assumeIsolated { $0.socketClosed(family) } }
        }
    }
}
