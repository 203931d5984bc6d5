import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Sets up the connections that the server of Hummingbird has accepted.
struct NameServerChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let channel: any Channel
    }

    /// By event loop.
    let loops: [ObjectIdentifier: NIOLoopBoundBox<LoopConnections>]

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
                throw ChannelError.inappropriateOperationForState
            }
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = NameServerListener.maximumHeaderSize
            limits.maxHeaderListSize = NameServerListener.maximumHeaderSize
            limits.maxHeaderFieldCount = NameServerListener.maximumHeaderCount
            let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(ByteToMessageHandler(decoder))
            try pipeline.addHandler(ConnectionHandler(loop: loop.value))
            return Value(channel: channel)
        }
    }

    func handle(value: Value, logger: Logger) async {
        try? await value.channel.closeFuture.get()
    }
}
