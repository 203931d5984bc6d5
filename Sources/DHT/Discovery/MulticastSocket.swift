import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An address of an interface through which groups can be reached.
struct MulticastInterface: Equatable {
    let device: NIONetworkDevice
    let family: Endpoint.Family
    let address: SocketAddress

    /// One for each interface and family.
    static func all(_ families: [Endpoint.Family]) -> [MulticastInterface] {
        var found: [MulticastInterface] = []
        for device in (try? System.enumerateDevices()) ?? [] where device.multicastSupported {
            guard let address = device.address, let endpoint = Endpoint(address), !endpoint.isLoopback,
                families.contains(endpoint.family),
                !found.contains(where: { $0.device.name == device.name && $0.family == endpoint.family })
            else { continue }
            found.append(MulticastInterface(device: device, family: endpoint.family, address: address))
        }
        return found
    }

    static func == (left: MulticastInterface, right: MulticastInterface) -> Bool {
        left.device.name == right.device.name && left.family == right.family && left.address == right.address
    }
}

/// Sends past its channel, which would be closed by a datagram that has no route.
struct MulticastSender {
    let channel: any Channel
    let socket: CInt
    let family: Endpoint.Family

    func send(_ bytes: [UInt8], to address: SocketAddress) {
        guard channel.isActive else { return }
        // The pointers are valid during the call, and the system copies what they point to. What is lost is sent again.
        _ = unsafe bytes.withUnsafeBytes { bytes in
            unsafe address.withSockAddr { pointer, size in
                unsafe sendto(socket, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT), pointer, socklen_t(size))
            }
        }
    }
}

/// Sockets of local discovery; whoever makes one owns it.
enum MulticastSocket {
    /// Shares the port of the groups with all other programs that look for nodes.
    static func receiver(_ family: Endpoint.Family, port: Int) throws -> CInt {
        let descriptor = try open(family)
        do {
            try set(descriptor, SOL_SOCKET, SO_REUSEADDR, CInt(1))
            try bind(descriptor, to: SocketAddress(ipAddress: family == .ipv4 ? "0.0.0.0" : "::", port: port))
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// A socket with a port of its own: an answer to the shared port would reach only one of the programs there.
    static func sender(on interface: MulticastInterface) throws -> CInt {
        let descriptor = try open(interface.family)
        do {
            switch interface.family {
            case .ipv4:
                let address = UInt32(truncatingIfNeeded: Endpoint(interface.address)?.low ?? 0)
                try set(descriptor, CInt(IPPROTO_IP), IP_MULTICAST_IF, address.bigEndian)
                try bind(descriptor, to: SocketAddress(ipAddress: "0.0.0.0", port: 0))
            case .ipv6:
                let index = CUnsignedInt(interface.device.interfaceIndex)
                try set(descriptor, CInt(IPPROTO_IPV6), IPV6_MULTICAST_IF, index)
                try bind(descriptor, to: SocketAddress(ipAddress: "::", port: 0))
            }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func open(_ family: Endpoint.Family) throws -> CInt {
        #if canImport(Glibc)
            let kind = CInt(SOCK_DGRAM.rawValue)
        #else
            let kind = SOCK_DGRAM
        #endif
        let descriptor = socket(family == .ipv4 ? AF_INET : AF_INET6, kind, 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        if family == .ipv6 {
            do {
                try set(descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY, CInt(1))
            } catch {
                close(descriptor)
                throw error
            }
        }
        return descriptor
    }

    private static func set<T>(_ descriptor: CInt, _ level: CInt, _ name: CInt, _ value: T) throws {
        let result = unsafe withUnsafePointer(to: value) { pointer in
            unsafe setsockopt(descriptor, level, name, pointer, socklen_t(MemoryLayout<T>.size))
        }
        guard result == 0 else { throw IOError(errnoCode: errno, reason: "setsockopt") }
    }

    private static func bind(_ descriptor: CInt, to address: SocketAddress) throws {
        let result = unsafe address.withSockAddr { pointer, size in
            unsafe bindSocket(descriptor, pointer, socklen_t(size))
        }
        guard result == 0 else { throw IOError(errnoCode: errno, reason: "bind") }
    }
}

// Inside the type the name is that of its method.
private let bindSocket = unsafe bind
