/// An endpoint in the memory layout of a Linux socket address, as some payloads carry it.
struct SocketAddressBytes: Sendable {
    let endpoint: Endpoint

    init(_ endpoint: Endpoint) {
        self.endpoint = endpoint
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 8, bytes[1] == 0 else { return nil }
        let port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        switch UInt64(bytes[0]) {
        case WireConstants.familyIPv4 where bytes.count == 16:
            guard let endpoint = Endpoint(address: bytes[4..<8], port: port) else { return nil }
            self.endpoint = endpoint
        case WireConstants.familyIPv6 where bytes.count == 28:
            guard let endpoint = Endpoint(address: bytes[8..<24], port: port) else { return nil }
            self.endpoint = endpoint
        default:
            return nil
        }
    }

    var bytes: [UInt8] {
        let port = [UInt8(endpoint.port >> 8), UInt8(endpoint.port & 0xFF)]
        switch endpoint.family {
        case .ipv4:
            return [UInt8(WireConstants.familyIPv4), 0] + port + endpoint.addressBytes + [UInt8](repeating: 0, count: 8)
        case .ipv6:
            return [UInt8(WireConstants.familyIPv6), 0] + port + [0, 0, 0, 0] + endpoint.addressBytes + [0, 0, 0, 0]
        }
    }
}
