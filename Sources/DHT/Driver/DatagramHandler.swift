import NIOCore

/// Tells the node, whose executor is the event loop that this handler runs on, of datagrams.
///
/// The channel reads the first one; the node reads those behind it itself, many at once.
final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let node: DHTNode
    private let family: Endpoint.Family

    init(node: DHTNode, family: Endpoint.Family) {
        self.node = node
        self.family = family
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = Self.unwrapInboundIn(data)
        guard let sender = Endpoint(envelope.remoteAddress) else { return }
        node.assumeIsolated { $0.received(envelope.data, from: sender) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let family = family
        node.assumeIsolated { $0.readMore(family) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let family = family
        node.assumeIsolated { $0.socketClosed(family) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A datagram that could not be sent or read is a lost one, and requests are sent again.
    }
}
