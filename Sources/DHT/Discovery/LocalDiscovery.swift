import Logging
import NIOCore
import NIOPosix
import Runtime

/// Local discovery on the multicast groups of every interface.
///
/// It works on the event loop of its node, and is over with ``shutdown()``.
actor LocalDiscovery {
    /// The groups and the port that all nodes share.
    static let port = 8888
    static let groups: [Endpoint.Family: String] = [.ipv4: "239.192.0.1", .ipv6: "ff08::101"]
    /// Interfaces that are used at most.
    private static let interfaceLimit = 16

    nonisolated private let eventLoop: any EventLoop
    nonisolated private let time: any TimeSource
    nonisolated private let logger: Logger
    /// Called on the event loop.
    nonisolated private let found: @Sendable (Endpoint) -> Void

    private var core: DiscoveryCore
    private let families: [Endpoint.Family]
    private var isOver = false
    /// Whether others are wanted still when the sockets are open.
    private var isLooking = false
    private var isOpening = false
    private var receivers: [any Channel] = []
    private var senders: [MulticastSender] = []
    /// The interfaces at the last opening, to notice other ones.
    private var interfaces: [MulticastInterface] = []
    private var timer: Scheduled<Void>?

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.executor.asUnownedSerialExecutor()
    }

    init(
        core: DiscoveryCore,
        families: [Endpoint.Family],
        eventLoop: any EventLoop,
        time: any TimeSource,
        logger: Logger,
        found: @escaping @Sendable (Endpoint) -> Void
    ) {
        self.core = core
        self.families = families
        self.eventLoop = eventLoop
        self.time = time
        self.logger = logger
        self.found = found
    }

    /// Looks for others, in the rounds of the protocol; all anew on what may be another network.
    func begin(isAnew: Bool = false) async {
        isLooking = true
        guard !isOpening else { return }
        isOpening = true
        await openIfChanged()
        isOpening = false
        guard isLooking, !isOver else { return }
        perform(isAnew ? core.restart(now: time.now) : core.begin(now: time.now))
    }

    /// Stops looking; questions of others are still answered.
    func rest() {
        isLooking = false
        core.rest()
        armTimer()
    }

    func shutdown() async {
        isOver = true
        timer?.cancel()
        timer = nil
        await close()
    }

    // MARK: Sockets

    private func openIfChanged() async {
        let present = MulticastInterface.all(families).prefix(Self.interfaceLimit)
        guard !isOver, Array(present) != interfaces else { return }
        interfaces = Array(present)
        await close()
        for family in families where interfaces.contains(where: { $0.family == family }) {
            await openReceiver(family)
        }
        for interface in interfaces { await openSender(interface) }
        if isOver { await close() }
    }

    private func openReceiver(_ family: Endpoint.Family) async {
        guard let group = Self.groups[family].flatMap({ try? SocketAddress(ipAddress: $0, port: Self.port) }) else {
            return
        }
        do {
            let socket = try MulticastSocket.receiver(family, port: Self.port)
            let channel = try await bootstrap().withBoundSocket(socket).get()
            receivers.append(channel)
            for interface in interfaces where interface.family == family {
                guard let channel = channel as? any MulticastChannel else { continue }
                try? await channel.joinGroup(group, device: interface.device).get()
            }
        } catch {
            logger.debug("no local discovery", metadata: ["family": "\(family)", "error": "\(error)"])
        }
    }

    private func openSender(_ interface: MulticastInterface) async {
        do {
            let socket = try MulticastSocket.sender(on: interface)
            let channel = try await bootstrap().withBoundSocket(socket).get()
            senders.append(MulticastSender(channel: channel, socket: socket, family: interface.family))
        } catch {
            logger.debug(
                "no local discovery on an interface",
                metadata: ["interface": "\(interface.device.name)", "error": "\(error)"]
            )
        }
    }

    private func bootstrap() -> DatagramBootstrap {
        DatagramBootstrap(group: eventLoop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16_384))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DiscoveryHandler(discovery: self))
                }
            }
    }

    private func close() async {
        let open = receivers + senders.map(\.channel)
        receivers = []
        senders = []
        for channel in open { try? await channel.close() }
    }

    // MARK: Turns

    func received(_ buffer: ByteBuffer, from sender: Endpoint) {
        guard !isOver else { return }
        perform(core.receive(buffer.readableBytesSpan, from: sender, now: time.now))
    }

    private func perform(_ effects: [DiscoveryCore.Effect]) {
        for effect in effects {
            switch effect {
            case .multicast(let bytes, let family):
                guard let group = Self.groups[family] else { continue }
                guard let address = try? SocketAddress(ipAddress: group, port: Self.port) else { continue }
                for sender in senders where sender.family == family { sender.send(bytes, to: address) }
            case .send(let bytes, let receiver):
                guard let address = receiver.socketAddress else { continue }
                senders.first { $0.family == receiver.family }?.send(bytes, to: address)
            case .found(let id, let endpoint):
                logger.debug("found on the local network", metadata: ["id": "\(id)", "address": "\(endpoint)"])
                found(endpoint)
            }
        }
        armTimer()
    }

    private func armTimer() {
        timer?.cancel()
        timer = nil
        guard !isOver, let deadline = core.nextDeadline else { return }
        let delay = max((deadline - time.now).wholeNanoseconds, 0)
        timer = eventLoop.scheduleTask(in: .nanoseconds(delay)) { [weak self] in
            self?.assumeIsolated { discovery in
                discovery.perform(discovery.core.timer(now: discovery.time.now))
            }
        }
    }
}

/// Hands datagrams to the discovery on the same event loop.
private final class DiscoveryHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let discovery: LocalDiscovery

    init(discovery: LocalDiscovery) {
        self.discovery = discovery
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = Self.unwrapInboundIn(data)
        guard let sender = Endpoint(envelope.remoteAddress) else { return }
        discovery.assumeIsolated { $0.received(envelope.data, from: sender) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Discovery is a help, not a need.
    }
}
