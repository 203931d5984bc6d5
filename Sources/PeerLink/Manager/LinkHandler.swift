import NIOCore
import NIOSSL
import NIOTLS

/// The top of a connection's pipeline: plaintext and events of TLS for the connection.
final class LinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: PeerConnection
    private let security: NIOSSLHandler

    init(connection: PeerConnection, security: NIOSSLHandler) {
        self.connection = connection
        self.security = security
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent {
            let isModern = security.tlsVersion == .tlsv13
            connection.assumeIsolated { $0.handshakeCompleted(isModern: isModern) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        connection.assumeIsolated { $0.received(bytes) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        connection.assumeIsolated { $0.writabilityChanged() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.assumeIsolated { $0.failed(error) }
        // Many peers close TCP without a goodbye; that is an ordinary end.
        if (error as? NIOSSLError) != .uncleanShutdown { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.assumeIsolated { $0.inactive() }
        context.fireChannelInactive()
    }
}
