import MessagePack
import NIOCore
import Testing

@testable import DHT

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

@Suite struct DatagramBatchTests {
    /// Two sockets on loopback that are closed at the end.
    private func withSockets(
        _ family: Endpoint.Family = .ipv4,
        _ body: (DatagramSocket, DatagramSocket, Endpoint) throws -> Void
    ) throws {
        let host = family == .ipv4 ? "127.0.0.1" : "::1"
        let sender = try DatagramSocket(bindingTo: host, family: family, port: 0)
        defer { close(sender.descriptor) }
        let receiver = try DatagramSocket(bindingTo: host, family: family, port: 0)
        defer { close(receiver.descriptor) }
        try body(sender, receiver, loopback(family, port: port(of: receiver)))
    }

    private func loopback(_ family: Endpoint.Family, port: UInt16) -> Endpoint {
        family == .ipv4 ? Endpoint(ipv4: 0x7F00_0001, port: port) : Endpoint(ipv6: 0, 1, port: port)
    }

    private func port(of socket: DatagramSocket) -> UInt16 {
        var name = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &name) { name in
            let raw = UnsafeMutableRawPointer(name)
            getsockname(socket.descriptor, raw.assumingMemoryBound(to: sockaddr.self), &length)
            return UInt16(bigEndian: raw.load(fromByteOffset: 2, as: UInt16.self))
        }
    }

    private func outbox(_ datagrams: [(bytes: [UInt8], receiver: Endpoint)]) -> Outbox {
        var outbox = Outbox()
        for datagram in datagrams { outbox.send(to: datagram.receiver) { $0.write(encoded: datagram.bytes) } }
        return outbox
    }

    @Test(arguments: Endpoint.Family.all)
    func `datagrams of all sizes arrive whole and in order`(family: Endpoint.Family) throws {
        try withSockets(family) { sender, receiver, endpoint in
            let sizes = [1, 2, 40, 1500, 9000, 40_000, 65_507, 1, 0, 1280]
            let sent = sizes.enumerated().map { [UInt8](repeating: UInt8($0), count: $1) }
            let outbox = outbox(sent.map { ($0, endpoint) })
            let batch = DatagramBatch()
            let next = batch.send(outbox.datagrams[...], of: outbox.bytes, on: sender)
            #expect(next == sizes.count)
            var received: [[UInt8]] = []
            let origin = loopback(family, port: port(of: sender))
            let count = batch.receive(from: receiver) { bytes, from in
                received.append(bytes.copy(0..<bytes.byteCount))
                #expect(from == origin)
            }
            #expect(count == sizes.count)
            #expect(received == sent)
        }
    }

    @Test func `more datagrams than fit into a batch come with the next one`() throws {
        try withSockets { sender, receiver, endpoint in
            let count = DatagramBatch.capacity * 2 + 5
            let outbox = outbox((0..<count).map { ([UInt8($0)], endpoint) })
            let batch = DatagramBatch()
            let next = batch.send(outbox.datagrams[...], of: outbox.bytes, on: sender)
            #expect(next == count)
            var counts: [Int] = []
            var received: [UInt8] = []
            while counts.last != 0 {
                counts.append(batch.receive(from: receiver) { bytes, _ in received.append(bytes.byte(at: 0)) })
            }
            #expect(counts == [DatagramBatch.capacity, DatagramBatch.capacity, 5, 0])
            #expect(received == (0..<count).map { UInt8($0) })
        }
    }

    @Test func `rows of datagrams of one length arrive as they were`() throws {
        try withSockets { sender, receiver, endpoint in
            let other = try DatagramSocket(bindingTo: "127.0.0.1", family: .ipv4, port: 0)
            defer { close(other.descriptor) }
            let elsewhere = Endpoint(ipv4: 0x7F00_0001, port: port(of: other))
            // A long row, a shorter one, another receiver in between, and what is too long for rows.
            let row = (0..<70).map { ([UInt8](repeating: UInt8($0), count: 1300), endpoint) }
            let short = (70..<74).map { ([UInt8](repeating: UInt8($0), count: 60), endpoint) }
            let away = ([UInt8](repeating: 74, count: 60), elsewhere)
            let long = (75..<78).map { ([UInt8](repeating: UInt8($0), count: 2000), endpoint) }
            let outbox = outbox(row + short + [away] + short + long)
            let batch = DatagramBatch()
            let next = batch.send(outbox.datagrams[...], of: outbox.bytes, on: sender)
            #expect(next == 82)
            var received: [[UInt8]] = []
            while batch.receive(from: receiver, { bytes, _ in received.append(bytes.copy(0..<bytes.byteCount)) }) > 0 {}
            #expect(received == (row + short + short + long).map(\.0))
            let strayed = batch.receive(from: other) { _, _ in }
            #expect(strayed == 1)
        }
    }

    @Test func `a datagram that the system refuses keeps no others back`() throws {
        try withSockets { sender, receiver, endpoint in
            // Nobody may send to the broadcast address without asking for it, and 65,508 bytes fit into no datagram.
            let broadcast = Endpoint(ipv4: 0xFFFF_FFFF, port: 4222)
            let tooLong = [UInt8](repeating: 0, count: 65_508)
            let outbox = outbox([
                ([1], endpoint), ([2], broadcast), ([3], endpoint), (tooLong, endpoint), ([4], endpoint),
            ])
            let batch = DatagramBatch()
            let next = batch.send(outbox.datagrams[...], of: outbox.bytes, on: sender)
            #expect(next == 5)
            var received: [UInt8] = []
            _ = batch.receive(from: receiver) { bytes, _ in received.append(bytes.byte(at: 0)) }
            #expect(received == [1, 3, 4])
        }
    }

    @Test func `a datagram of another family keeps no others back`() throws {
        try withSockets { sender, receiver, endpoint in
            let outbox = outbox([([1], Endpoint(ipv6: 0, 1, port: 9)), ([2], endpoint)])
            let batch = DatagramBatch()
            let next = batch.send(outbox.datagrams[...], of: outbox.bytes, on: sender)
            #expect(next == 2)
            let count = batch.receive(from: receiver) { _, _ in }
            #expect(count == 1)
        }
    }
}
