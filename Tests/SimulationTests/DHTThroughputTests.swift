import Foundation
import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

/// Figures for people, not judgements: run in a release build with `APUS_MEASURE` set.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["APUS_MEASURE"] != nil), .serialized)
struct DHTThroughputTests {
    private let client = PacketWriter(id: InfoHash(hashing: "client"))

    /// A core that knows some hundred nodes and keeps a value.
    private func core() -> (NodeCore, InfoHash) {
        var limits = NodeLimits()
        limits.requests = .max
        limits.requestsPerAddress = .max
        let core = NodeCore(configuration: .init(id: InfoHash(hashing: "core"), limits: limits), randomness: .seeded(1))
        let now = Instant(nanoseconds: 1_000_000_000)
        core.setWallTime(WallTime(seconds: 1_800_000_000), now: now)
        for number in 0..<400 as Range<UInt32> {
            let endpoint = Endpoint(ipv4: 0x0A00_0000 + number, port: 4222)
            core.bootstrap(with: [endpoint], now: now)
            for datagram in core.outbox.datagrams where datagram.receiver == endpoint {
                let bytes = Array(core.outbox.bytes(of: datagram))
                guard let packet = try? Packet(decoding: bytes.span.bytes) else { continue }
                var writer = MessagePackWriter()
                PacketWriter(id: InfoHash(hashing: "node \(number)"))
                    .acknowledgement(packet.transaction, to: endpoint, to: &writer)
                core.outbox.removeAll()
                core.receive(writer.bytes.span.bytes, from: endpoint, now: now)
                break
            }
            core.outbox.removeAll()
        }
        let key = InfoHash(hashing: "key")
        let value = Value(id: 1, data: [UInt8](repeating: 1, count: 200))
        _ = core.put(value, at: key, permanent: false, isIDDrawn: true, now: now)
        core.outbox.removeAll()
        _ = core.takeEvents()
        return (core, key)
    }

    private func measure(_ name: String, _ core: NodeCore, _ write: (inout MessagePackWriter) -> Void) {
        var writer = MessagePackWriter()
        write(&writer)
        let bytes = writer.bytes
        let sender = Endpoint(ipv4: 0x0B00_0001, port: 4222)
        let now = Instant(nanoseconds: 1_500_000_000)
        let count = 200_000
        let start = clock()
        for _ in 0..<count {
            core.receive(bytes.span.bytes, from: sender, now: now)
            core.outbox.removeAll()
        }
        let seconds = Double(clock() - start) / Double(CLOCKS_PER_SEC)
        print(
            "\(name): \(Int(Double(count) / seconds)) requests in a CPU second, \(seconds / Double(count) * 1e6) µs each"
        )
    }

    @Test func `requests served in a second`() {
        let (core, key) = core()
        measure("ping", core) { client.ping(1, to: &$0) }
        measure("find", core) { client.find(1, target: key, to: &$0) }
        measure("get", core) { client.get(1, key: key, query: Query(), to: &$0) }
    }

    @Test func `nodes simulated in a second`() {
        let clock = ContinuousClock()
        for size in [200, 1000] {
            var outcome = DHTSimulationTests.Outcome(log: 0, delivered: 0)
            let time = clock.measure {
                outcome = DHTSimulationTests.run(seed: 1, size: size, values: 60, minutes: 5)
            }
            print("\(size) nodes: \(outcome) in \(time)")
        }
    }
}
