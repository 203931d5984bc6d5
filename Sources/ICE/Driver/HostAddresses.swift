import NIOCore
import NIOPosix

/// The addresses under which this machine can be reached directly.
enum HostAddresses {
    /// Addresses that may be told to a peer: those with a default route first, loopback only if wanted, and last.
    ///
    /// Source: peer connections protocol, "Gathering (TCP)".
    static func gather(allowsLoopback: Bool, on eventLoop: any EventLoop) async -> [IPAddress] {
        let devices = (try? System.enumerateDevices()) ?? []
        let all = devices.compactMap { $0.address.flatMap(TransportAddress.init)?.host }
        var preferred: [IPAddress] = []
        for probe in ["192.0.2.1", "2001:db8::1"] {
            if let source = await source(towards: probe, on: eventLoop) { preferred.append(source) }
        }
        return order(all, preferred: preferred, allowsLoopback: allowsLoopback)
    }

    static func order(_ all: [IPAddress], preferred: [IPAddress], allowsLoopback: Bool) -> [IPAddress] {
        var known: Set<IPAddress> = []
        let ranked = preferred.filter(all.contains) + all.filter { !$0.isIPv6 } + all.filter(\.isIPv6)
        let usable = ranked.filter { address in
            address.isUnicast && !(address.isIPv6 && address.isLinkLocal) && known.insert(address).inserted
        }
        let loopback = allowsLoopback ? usable.filter(\.isLoopback) : []
        let limit = ICEDescriptionLimits.hostCandidates / 2
        let direct = usable.filter { !$0.isLoopback }.prefix(limit - min(1, loopback.count))
        return Array((direct + loopback).prefix(limit))
    }

    /// The source address that the routing table picks; connecting a datagram socket sends nothing.
    private static func source(towards host: String, on eventLoop: any EventLoop) async -> IPAddress? {
        guard let target = try? SocketAddress(ipAddress: host, port: 9) else { return nil }
        guard let channel = try? await DatagramBootstrap(group: eventLoop).connect(to: target).get() else { return nil }
        defer { channel.close(promise: nil) }
        return channel.localAddress.flatMap(TransportAddress.init)?.host
    }
}
