import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The socket behind a channel, for reading and sending past it.
///
/// A channel is closed when one of its datagrams cannot be sent, as when one of many destinations has no route; then all
/// others are lost with it. Here only that datagram is. Valid as long as the channel is open, which owns the descriptor.
struct DatagramSocket: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let code: CInt
        let step: String

        var description: String { "\(step): error \(code)" }
    }

    let descriptor: CInt

    /// Opens a socket at an address of one family alone; port 0 lets the system choose.
    init(bindingTo host: String, family: Endpoint.Family, port: Int) throws {
        let address = try SocketAddress(ipAddress: host, port: port)
        guard let endpoint = Endpoint(address), endpoint.family == family else {
            throw Failure(code: EAFNOSUPPORT, step: "bind")
        }
        #if canImport(Glibc)
            let kind = CInt(SOCK_DGRAM.rawValue)
        #else
            let kind = SOCK_DGRAM
        #endif
        descriptor = socket(family == .ipv4 ? AF_INET : AF_INET6, kind, 0)
        guard descriptor >= 0 else { throw Failure(code: errno, step: "socket") }
        let open = descriptor
        // Programs that are started by this one have no business with it.
        _ = fcntl(open, F_SETFD, FD_CLOEXEC)
        if family == .ipv6 {
            // IPv4 has its own socket, perhaps at the same port.
            var isOn: CInt = 1
            let size = socklen_t(MemoryLayout<CInt>.size)
            guard unsafe setsockopt(open, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &isOn, size) == 0 else {
                let code = errno
                close(descriptor)
                throw Failure(code: code, step: "IPV6_V6ONLY")
            }
        }
        let result = unsafe address.withSockAddr { pointer, size in unsafe bind(open, pointer, socklen_t(size)) }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw Failure(code: code, step: "bind")
        }
    }
}
