import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// An answer as it came over the wire.
struct RawResponse: Sendable {
    let status: Int
    let headers: [(name: String, value: String)]
    let body: String

    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    var headerNames: [String] { headers.map(\.name) }
}

/// A connection that sends exactly the bytes that a test wants to send.
final class RawConnection: Sendable {
    private final class Collector: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer

        // Changed on the channel's event loop, read under the lock.
        let received = Mutex<[UInt8]>([])
        let isClosed = Mutex(false)
        let ticks = Mailbox<Int>()

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(unwrapInboundIn(data).readableBytesView)
            received.withLock { $0 += bytes }
            ticks.post(bytes.count)
        }

        func channelInactive(context: ChannelHandlerContext) {
            isClosed.withLock { $0 = true }
            ticks.post(0)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    private let channel: any Channel
    private let collector: Collector

    private init(channel: any Channel, collector: Collector) {
        self.channel = channel
        self.collector = collector
    }

    static func open(to port: Int, host: String = "127.0.0.1", reads: Bool = true) async throws -> RawConnection {
        let collector = Collector()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(ChannelOptions.autoRead, value: reads)
            .channelOption(ChannelOptions.socketOption(.so_rcvbuf), value: reads ? 262_144 : 4_096)
            .channelInitializer { $0.pipeline.addHandler(collector) }
            .connect(host: host, port: port).get()
        return RawConnection(channel: channel, collector: collector)
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func endOutput() {
        channel.close(mode: .output, promise: nil)
    }

    func close() async {
        try? await channel.close().get()
    }

    var received: [UInt8] { collector.received.withLock { $0 } }

    /// Waits until the other side has closed; false when it does not.
    func isClosed(within timeout: Duration) async -> Bool {
        await wait(within: timeout) { [collector] in collector.isClosed.withLock { $0 } ? () : nil } != nil
    }

    /// The next answer, which is taken out of what was received; `nil` when none comes.
    func response(isWithoutBody: Bool = false, within timeout: Duration = .seconds(60)) async -> RawResponse? {
        await wait(within: timeout) { [collector] in
            collector.received.withLock { bytes in
                guard let (response, length) = Self.parse(bytes, isWithoutBody: isWithoutBody) else { return nil }
                bytes.removeFirst(length)
                return response
            }
        }
    }

    private func wait<Value>(within timeout: Duration, _ look: () -> Value?) async -> Value? {
        let end = ContinuousClock().now + timeout
        while true {
            let seen = collector.ticks.all.count
            if let value = look() { return value }
            if collector.isClosed.withLock({ $0 }) { return look() }
            let left = end - ContinuousClock().now
            guard left > .zero else { return nil }
            _ = await collector.ticks.first(from: seen, within: left)
        }
    }

    private static func parse(_ bytes: [UInt8], isWithoutBody: Bool) -> (RawResponse, Int)? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        var lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        let status = lines.removeFirst().split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        let headers = lines.map { line -> (name: String, value: String) in
            let halves = line.split(separator: ":", maxSplits: 1)
            return (String(halves[0]), halves.count > 1 ? halves[1].trimmingCharacters(in: .whitespaces) : "")
        }
        let length = headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) } ?? 0
        let start = text.utf8.distance(from: text.startIndex, to: end.upperBound)
        let total = start + (isWithoutBody ? 0 : length)
        guard bytes.count >= total else { return nil }
        let body = String(decoding: bytes[start..<total], as: UTF8.self)
        return (RawResponse(status: status, headers: headers, body: body), total)
    }
}
