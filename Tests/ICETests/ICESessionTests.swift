import ICE
import Logging
import NIOCore
import NIOPosix
import Testing

/// Two sessions on the loopback interface.
@Suite(.timeLimit(.minutes(1))) struct ICESessionTests {
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)

    /// Collects what a channel delivers.
    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let sink: AsyncStream<ByteBuffer>.Continuation

        init(_ sink: AsyncStream<ByteBuffer>.Continuation) {
            self.sink = sink
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            sink.yield(unwrapInboundIn(data))
        }

        func channelInactive(context: ChannelHandlerContext) {
            sink.finish()
        }
    }

    private func session(
        _ role: ICEAgent.Role,
        passiveWait: Duration = .seconds(10)
    ) async throws -> (ICESession, AsyncStream<ByteBuffer>) {
        var limits = ICELimits()
        limits.passiveWait = passiveWait
        let (stream, sink) = AsyncStream.makeStream(of: ByteBuffer.self)
        let session = try await ICESession.gather(
            role: role,
            configuration: ICEConfiguration(allowsLoopback: true, limits: limits),
            on: Self.group.next(),
            logger: Logger(label: "test")
        ) { channel in
            try channel.pipeline.syncOperations.addHandler(Collector(sink))
        }
        return (session, stream)
    }

    private func read(_ count: Int, from stream: AsyncStream<ByteBuffer>) async -> ByteBuffer {
        var all = ByteBuffer()
        for await piece in stream {
            all.writeImmutableBuffer(piece)
            if all.readableBytes >= count { break }
        }
        return all
    }

    @Test(arguments: [false, true]) func `bytes pass both ways over either family`(isIPv6: Bool) async throws {
        let (answerer, fromRequester) = try await session(.controlling)
        let (requester, fromAnswerer) = try await session(.controlled)
        func only(_ description: ICEDescription) -> ICEDescription {
            var description = description
            description.candidates.removeAll { $0.address.host.isIPv6 != isIPv6 }
            return description
        }
        // A machine without IPv6 has nothing to show here.
        guard !only(requester.localDescription).candidates.isEmpty else { return }
        await answerer.start(with: only(requester.localDescription))
        await requester.start(with: only(answerer.localDescription))
        let first = try await answerer.selected()
        #expect(first.remoteAddress?.protocol == (isIPv6 ? .inet6 : .inet))
        // Longer than a frame.
        let greeting = ByteBuffer(repeating: 7, count: 100_000)
        try await first.writeAndFlush(greeting)
        let second = try await requester.selected()
        #expect(await read(100_000, from: fromAnswerer) == greeting)
        try await second.writeAndFlush(ByteBuffer(bytes: [1, 2, 3]))
        #expect(await read(3, from: fromRequester) == ByteBuffer(bytes: [1, 2, 3]))
        try await first.close()
        for await _ in fromAnswerer {}
    }

    @Test func `closing answers whoever waits`() async throws {
        let (session, _) = try await session(.controlled)
        let waiting = Task { try await session.selected() }
        await session.close()
        await #expect(throws: ICEError.closed) { try await waiting.value }
    }

    @Test func `a peer that is not there is a failure`() async throws {
        let (session, _) = try await session(.controlling, passiveWait: .milliseconds(10))
        let text = "wxyz\n0123456789012345678901\nH 1 TCP 5 127.0.0.1 1 typ host tcptype passive\n"
        await session.start(with: try ICEDescription(text: text))
        await #expect(throws: ICEError.negotiation(.noValidPair)) { try await session.selected() }
    }
}
