import Keys
import MessagePack
import Runtime

@testable import DHT

/// A core under test, and packets of peers that are made by hand.
struct CoreHarness {
    /// A message that the core sent.
    struct Sent {
        let receiver: Endpoint
        let bytes: [UInt8]
        let packet: Packet
        let content: MessagePackValue
    }

    struct Peer {
        let writer: PacketWriter
        let endpoint: Endpoint

        /// The peers of a number have one id; each IPv6 address is in a network of its own.
        init(_ number: Int, over family: Endpoint.Family = .ipv4, network: UInt32 = 0, isClient: Bool = false) {
            writer = PacketWriter(id: InfoHash(hashing: "peer \(number)"), network: network, isClient: isClient)
            endpoint =
                switch family {
                case .ipv4: Endpoint(ipv4: 0x0A00_0000 + UInt32(number), port: 4222)
                case .ipv6: Endpoint(ipv6: 0x2001_0DB8_0000_0000 | UInt64(number), 1, port: 4222)
                }
        }

        var id: InfoHash { writer.id }
        var contact: Contact { Contact(id: id, endpoint: endpoint) }
    }

    let core: NodeCore
    var now = Instant(nanoseconds: 1_000_000_000)

    init(
        limits: NodeLimits = NodeLimits(),
        network: UInt32 = 0,
        id: InfoHash = InfoHash(hashing: "core"),
        families: Endpoint.Families = .both,
        isStable: Bool = false,
        maintainsStorage: Bool = false
    ) {
        core = NodeCore(
            configuration: .init(
                id: id,
                network: network,
                isStable: isStable,
                maintainsStorage: maintainsStorage,
                families: families,
                limits: limits
            ),
            randomness: .seeded(1)
        )
        core.setWallTime(WallTime(seconds: 1_800_000_000), now: now)
    }

    /// Hands a packet to the core.
    ///
    /// - Returns: what it sent in turn.
    func receive(
        from peer: Peer,
        at endpoint: Endpoint? = nil,
        _ write: (PacketWriter, inout MessagePackWriter) -> Void
    ) -> [Sent] {
        var writer = MessagePackWriter()
        write(peer.writer, &writer)
        return receive(writer.bytes, from: endpoint ?? peer.endpoint)
    }

    func receive(_ bytes: [UInt8], from endpoint: Endpoint) -> [Sent] {
        core.receive(bytes.span.bytes, from: endpoint, now: now)
        return sent()
    }

    /// What the core has sent since the last look, without the pings with which it keeps an eye on its nodes.
    func sent() -> [Sent] {
        allSent().filter { $0.packet.kind != .request(.ping) }
    }

    private func allSent() -> [Sent] {
        defer { core.outbox.removeAll() }
        return core.outbox.datagrams.compactMap { datagram in
            let bytes = Array(core.outbox.bytes(of: datagram))
            guard let packet = try? Packet(bytes), let content = try? MessagePackValue.decode(bytes) else { return nil }
            return Sent(receiver: datagram.receiver, bytes: bytes, packet: packet, content: content)
        }
    }

    mutating func wait(_ duration: Duration) -> [Sent] {
        var result: [Sent] = []
        let end = now + duration
        while let next = core.nextDeadline, next <= end {
            now = max(next, now)
            core.timer(now: now)
            result += sent()
        }
        now = end
        return result
    }

    /// Makes a peer a good node: it answers a bootstrap ping, and the questions that follow.
    func befriend(_ peer: Peer) {
        core.bootstrap(with: [peer.endpoint], now: now)
        var requests = allSent()
        while let request = requests.popLast() {
            guard request.receiver == peer.endpoint else { continue }
            var writer = MessagePackWriter()
            if request.packet.kind == .request(.ping) {
                peer.writer.acknowledgement(request.packet.transaction, to: Self.own, to: &writer)
            } else {
                peer.writer.answer(request.packet.transaction, .init(token: [1]), to: Self.own, to: &writer)
            }
            core.receive(writer.bytes.span.bytes, from: peer.endpoint, now: now)
            requests += allSent()
        }
    }

    static let own = Endpoint(ipv4: 0x0A00_FFFF, port: 4222)

    /// The token that the core gives to a peer.
    func token(for peer: Peer, key: InfoHash = InfoHash(hashing: "any")) -> [UInt8] {
        let answers = receive(from: peer) { $0.find(9, target: key, to: &$1) }
        return answers.first?.content["r"]?["token"]?.bytes ?? []
    }

    /// Puts values on the core as a peer.
    @discardableResult
    func put(
        _ values: [Value],
        at key: InfoHash,
        by peer: Peer,
        created: Int64? = nil,
        token: [UInt8]? = nil
    ) -> [Sent] {
        let token = token ?? self.token(for: peer)
        let outgoing = OutgoingValues(values.map(\.encoded))
        return receive(from: peer) {
            $0.put(10, key: key, values: outgoing, created: created, token: token, to: &$1)
        }
    }
}
