#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension HostAddress {
    /// All IPv4 addresses of the host.
    ///
    /// Blocking.
    func resolve() -> [Endpoint] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_INET
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { unsafe freeaddrinfo(list) }
        var endpoints: [Endpoint] = []
        var next = unsafe list
        while let entry = unsafe next {
            if let address = unsafe entry.pointee.ai_addr, unsafe entry.pointee.ai_family == AF_INET {
                // An IPv4 socket address has its four bytes behind family and port.
                let ip = unsafe UnsafeRawPointer(address).loadUnaligned(fromByteOffset: 4, as: UInt32.self)
                let endpoint = Endpoint(ipv4: UInt32(bigEndian: ip), port: UInt16(truncatingIfNeeded: port))
                if !endpoints.contains(endpoint) { endpoints.append(endpoint) }
            }
            unsafe next = entry.pointee.ai_next
        }
        return endpoints
    }
}
