import Foundation
import Keys
import MessagePack
import Runtime

@testable import DHT

/// How long the core works on one request, without sockets: what profiles and changes of it are judged by.
struct CoreCosts {
    private let core: NodeCore
    private let peers: [(writer: PacketWriter, endpoint: Endpoint)]
    private let now = Instant(nanoseconds: 1_000_000_000)
    private let only: String?
    private var randomness = Randomness.seeded(1)

    /// - Parameter only: the one kind of request to send; `nil` for all.
    init(only: String?) {
        self.only = only
        var limits = NodeLimits()
        limits.liftRates()
        core = NodeCore(
            configuration: .init(id: .random(using: &randomness), limits: limits),
            randomness: randomness
        )
        var peers: [(writer: PacketWriter, endpoint: Endpoint)] = []
        for number in 0..<64 as Range<UInt32> {
            let writer = PacketWriter(id: .random(using: &randomness))
            peers.append((writer, Endpoint(ipv4: 0x7F00_0001 + number, port: 4222)))
        }
        self.peers = peers
        core.start(now: now, wallTime: WallTime(milliseconds: 0))
        core.bootstrap(with: peers.map(\.endpoint), now: now)
        answerPings()
    }

    /// Lets the core take all peers for good nodes.
    private func answerPings() {
        for datagram in core.outbox.datagrams {
            let bytes = Array(core.outbox.bytes(of: datagram))
            guard let packet = try? Packet(decoding: bytes.span.bytes),
                let peer = peers.first(where: { $0.endpoint == datagram.receiver })
            else { continue }
            var answer = MessagePackWriter()
            peer.writer.acknowledgement(packet.transaction, to: datagram.receiver, to: &answer)
            core.receive(answer.bytes.span.bytes, from: peer.endpoint, now: now)
        }
        core.outbox.removeAll()
    }

    mutating func run(repetitions: Int) {
        var tokens: [[UInt8]] = []
        for peer in peers.prefix(8) {
            var request = MessagePackWriter()
            peer.writer.find(7, target: core.id, to: &request)
            core.receive(request.bytes.span.bytes, from: peer.endpoint, now: now)
            guard let datagram = core.outbox.datagrams.last else { return }
            let bytes = Array(core.outbox.bytes(of: datagram))
            guard let packet = try? Packet(decoding: bytes.span.bytes), let range = packet.token else { return }
            tokens.append(Array(bytes[range]))
            core.outbox.removeAll()
        }
        var keys: [InfoHash] = []
        for _ in 0..<4096 { keys.append(core.id.takingBits(from: .random(using: &randomness), after: 32)) }
        measure("put", repetitions) { index, peer, writer in
            let value = Value(id: UInt64(index + 1), data: [UInt8](repeating: 1, count: 100))
            let key = keys[index]
            let values = OutgoingValues([value.encoded])
            peer.put(UInt32(index), key: key, values: values, created: nil, token: tokens[index % 8], to: &writer)
        }
        measure("ping", repetitions) { index, peer, writer in peer.ping(UInt32(index), to: &writer) }
        var targets = randomness
        measure("find", repetitions) { index, peer, writer in
            peer.find(UInt32(index), target: .random(using: &targets), to: &writer)
        }
        measure("get", repetitions) { index, peer, writer in
            peer.get(UInt32(index), key: keys[index], query: Query(), to: &writer)
        }
    }

    private func measure(
        _ name: String,
        _ repetitions: Int,
        _ write: (Int, PacketWriter, inout MessagePackWriter) -> Void
    ) {
        guard only == nil || only == name else { return }
        let requests = (0..<4096).map { index in
            var writer = MessagePackWriter()
            write(index, peers[index % 8].writer, &writer)
            return writer.bytes
        }
        var best = Double.infinity
        for _ in 0..<repetitions {
            let begin = DispatchTime.now().uptimeNanoseconds
            for (index, request) in requests.enumerated() {
                core.receive(request.span.bytes, from: peers[index % 8].endpoint, now: now)
                if index % 32 == 31 { core.outbox.removeAll() }
            }
            best = min(best, Double(DispatchTime.now().uptimeNanoseconds - begin) / Double(requests.count))
        }
        Program.answer("{\"\(name)\": \(best)}")
    }
}
