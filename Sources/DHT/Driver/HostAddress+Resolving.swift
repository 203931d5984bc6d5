#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension HostAddress {
    /// All addresses of the host, of both families.
    ///
    /// Blocking.
    package func resolve() -> [Endpoint] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { unsafe freeaddrinfo(list) }
        var endpoints: [Endpoint] = []
        var next = unsafe list
        while let entry = unsafe next {
            if let endpoint = unsafe endpoint(of: entry.pointee), !endpoints.contains(endpoint) {
                endpoints.append(endpoint)
            }
            unsafe next = entry.pointee.ai_next
        }
        return endpoints
    }

    private func endpoint(of entry: addrinfo) -> Endpoint? {
        guard let address = unsafe entry.ai_addr else { return nil }
        // The family that the entry states says how long the address is.
        let bytes = UnsafeRawPointer(address)
        let port = UInt16(truncatingIfNeeded: self.port)
        switch unsafe entry.ai_family {
        case AF_INET:
            let word = unsafe bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
            return Endpoint(ipv4: UInt32(bigEndian: word), port: port)
        case AF_INET6:
            let high = unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            let low = unsafe bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
            return Endpoint(ipv6: UInt64(bigEndian: high), UInt64(bigEndian: low), port: port)
        default:
            return nil
        }
    }
}
