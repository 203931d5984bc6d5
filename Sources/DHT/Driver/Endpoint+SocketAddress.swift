import NIOCore

extension Endpoint {
    /// `nil` for addresses that are neither IPv4 nor IPv6.
    init?(_ address: SocketAddress) {
        let isIPv4: Bool
        switch address {
        case .v4: isIPv4 = true
        case .v6: isIPv4 = false
        case .unixDomainSocket: return nil
        }
        // The layouts of `sockaddr_in` and `sockaddr_in6` are the same on all systems from the port on.
        let fields = unsafe address.withSockAddr { pointer, _ in
            let raw = unsafe UnsafeRawPointer(pointer)
            let port = unsafe raw.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
            if isIPv4 { return (port, UInt64(0), UInt64(unsafe raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self))) }
            return (
                port,
                unsafe raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                unsafe raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
            )
        }
        let port = UInt16(bigEndian: fields.0)
        if isIPv4 {
            self.init(ipv4: UInt32(bigEndian: UInt32(truncatingIfNeeded: fields.2)), port: port)
        } else {
            self.init(ipv6: UInt64(bigEndian: fields.1), UInt64(bigEndian: fields.2), port: port)
        }
    }

    var socketAddress: SocketAddress? {
        try? SocketAddress(packedIPAddress: ByteBuffer(bytes: addressBytes), port: Int(port))
    }
}
