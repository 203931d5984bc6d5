import NIOCore

/// The socket of one address family, and the channel that owns it.
struct FamilySocket {
    let socket: DatagramSocket
    let channel: any Channel

    var port: Int { channel.localAddress?.port ?? 0 }

    /// Sends datagrams to addresses of the family.
    func send(
        _ datagrams: ArraySlice<Outbox.Datagram>,
        of bytes: [UInt8],
        _ batch: DatagramBatch,
        unreachable: (Endpoint) -> Void
    ) {
        guard channel.isActive else { return }
        let waiting = datagrams[batch.send(datagrams, of: bytes, on: socket, unreachable: unreachable)...]
        if !waiting.isEmpty { queue(waiting, of: bytes) }
    }

    /// Lets the channel send the datagrams when there is room for them again.
    private func queue(_ datagrams: ArraySlice<Outbox.Datagram>, of bytes: [UInt8]) {
        let buffer = channel.allocator.buffer(bytes: bytes)
        for datagram in datagrams where channel.isWritable {
            guard let slice = buffer.getSlice(at: datagram.start, length: datagram.end - datagram.start),
                let address = datagram.receiver.socketAddress
            else { continue }
            channel.write(AddressedEnvelope(remoteAddress: address, data: slice), promise: nil)
        }
        channel.flush()
    }
}
