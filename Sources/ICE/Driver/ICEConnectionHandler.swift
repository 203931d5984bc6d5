import NIOCore
import NIOPosix

/// The bottom of every connection's pipeline: frames, and STUN for the session.
final class ICEConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var id: ICEAgent.ConnectionID?
    var isSelected = false

    private let session: ICESession
    private var decoder = FrameDecoder()
    private var context: ChannelHandlerContext?

    init(session: ICESession, id: ICEAgent.ConnectionID?) {
        self.session = session
        self.id = id
    }

    var channel: (any Channel)? { context?.channel }

    /// Sends one STUN message, past everything that lives above.
    func send(_ message: [UInt8]) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: message.count + 2)
        buffer.writeFrames(ByteBuffer(bytes: message))
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func deliver(_ bytes: ByteBuffer) {
        context?.fireChannelRead(wrapInboundOut(bytes))
    }

    /// Closes from the bottom; what lives above says its goodbye before it lets the session end.
    func close() {
        context?.close(promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { announce(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        announce(context)
        context.fireChannelActive()
    }

    private func announce(_ context: ChannelHandlerContext) {
        guard let local = context.localAddress.flatMap(TransportAddress.init),
            let remote = context.remoteAddress.flatMap(TransportAddress.init)
        else {
            context.close(promise: nil)
            return
        }
        if let id {
            session.assumeIsolated { $0.handle(.connected(id, local: local)) }
        } else {
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            session.assumeIsolated { $0.accepted(bound, local: local, remote: remote) }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data))
        while let id, let payload = decoder.next() {
            session.assumeIsolated { $0.handle(.frame(id, payload)) }
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let payload = unwrapOutboundIn(data)
        var buffer = context.channel.allocator.buffer(capacity: payload.readableBytes + 8)
        buffer.writeFrames(payload)
        context.write(wrapOutboundOut(buffer), promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        context.fireChannelInactive()
        if let id { session.assumeIsolated { $0.closed(id) } }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isSelected { context.fireErrorCaught(error) }
        context.close(promise: nil)
    }
}

// MARK: - Socket options

/// Dead peers are noticed within half a minute by the kernel.
///
/// Source: peer connections protocol, "TCP connections".
private let peerOptions: [(option: ChannelOptions.Types.SocketOption, value: SocketOptionValue)] = {
    let tcp = NIOBSDSocket.OptionLevel.tcp
    var options: [(option: ChannelOptions.Types.SocketOption, value: SocketOptionValue)] = [
        (.init(level: tcp, name: .tcp_nodelay), 1),
        (.init(level: .socket, name: .so_keepalive), 1),
    ]
    #if os(Linux)
        options.append((.init(level: tcp, name: .init(rawValue: LinuxOption.keepIdle)), 30))
        options.append((.init(level: tcp, name: .init(rawValue: LinuxOption.keepInterval)), 30))
        options.append((.init(level: tcp, name: .init(rawValue: LinuxOption.keepCount)), 1))
        options.append((.init(level: tcp, name: .init(rawValue: LinuxOption.userTimeout)), 30_000))
    #endif
    return options
}()

#if os(Linux)
    /// `TCP_…` constants of `linux/tcp.h`.
    private enum LinuxOption {
        static let keepIdle: CInt = 4
        static let keepInterval: CInt = 5
        static let keepCount: CInt = 6
        static let userTimeout: CInt = 18
    }
#endif

extension ClientBootstrap {
    func withSocketOptions() -> ClientBootstrap {
        peerOptions.reduce(self) { $0.channelOption($1.option, value: $1.value) }
    }
}

extension ServerBootstrap {
    func withChildSocketOptions() -> ServerBootstrap {
        peerOptions.reduce(self) { $0.childChannelOption($1.option, value: $1.value) }
    }
}
