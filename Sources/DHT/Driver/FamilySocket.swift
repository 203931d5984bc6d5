import NIOCore

/// The socket of one address family, and the channel that owns it.
struct FamilySocket {
    let socket: DatagramSocket
    let channel: any Channel

    var port: Int { channel.localAddress?.port ?? 0 }

    /// Sends datagrams to addresses of the family.
    ///
    /// - Parameter unreachable: is told of each datagram whose address the system cannot reach.
    func send(
        _ datagrams: ArraySlice<Outbox.Datagram>,
        of bytes: [UInt8],
        _ addresses: inout SocketAddressCache,
        unreachable: (Outbox.Datagram) -> Void
    ) {
        guard channel.isActive else { return }
        var next = datagrams.startIndex
        // The bytes stay where they are during the closure.
        unsafe bytes.withUnsafeBytes { bytes in
            while next < datagrams.endIndex {
                let datagram = datagrams[next]
                if let address = addresses[datagram.receiver] {
                    let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[datagram.start..<datagram.end])
                    switch unsafe socket.send(part, to: address) {
                    case .done: break
                    case .unreachable: unreachable(datagram)
                    case .busy: return
                    }
                }
                next += 1
            }
        }
        if next < datagrams.endIndex { queue(datagrams[next...], of: bytes, &addresses) }
    }

    /// Lets the channel send the datagrams when there is room for them again.
    private func queue(
        _ datagrams: ArraySlice<Outbox.Datagram>,
        of bytes: [UInt8],
        _ addresses: inout SocketAddressCache
    ) {
        let buffer = channel.allocator.buffer(bytes: bytes)
        for datagram in datagrams where channel.isWritable {
            guard let slice = buffer.getSlice(at: datagram.start, length: datagram.end - datagram.start),
                let address = addresses[datagram.receiver]
            else { continue }
            channel.write(AddressedEnvelope(remoteAddress: address, data: slice), promise: nil)
        }
        channel.flush()
    }
}

/// The addresses that were sent to lately, in the form of the system.
struct SocketAddressCache {
    private static let capacity = 4096

    private var addresses: [Endpoint: SocketAddress] = [:]

    subscript(endpoint: Endpoint) -> SocketAddress? {
        mutating get {
            if let known = addresses[endpoint] { return known }
            guard let address = endpoint.socketAddress else { return nil }
            if addresses.count >= Self.capacity { addresses.removeAll(keepingCapacity: true) }
            addresses[endpoint] = address
            return address
        }
    }
}
