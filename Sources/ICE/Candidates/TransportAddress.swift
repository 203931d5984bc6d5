public import NIOCore

/// A numeric IP address.
public enum IPAddress: Hashable, Sendable {
    /// The address as a host-order integer.
    case v4(UInt32)
    case v6(high: UInt64, low: UInt64)

    /// Parses numeric text; `nil` for names, zone ids and brackets.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count <= 45, !text.utf8.contains(UInt8(ascii: "%")) else { return nil }
        guard let address = try? SocketAddress(ipAddress: String(text), port: 0) else { return nil }
        guard let parsed = TransportAddress(address)?.host else { return nil }
        self = parsed
    }

    public var isIPv6: Bool {
        if case .v6 = self { true } else { false }
    }

    public var isLoopback: Bool {
        switch self {
        case .v4(let bits): bits >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }

    public var isLinkLocal: Bool {
        switch self {
        case .v4(let bits): bits >> 16 == 0xA9FE
        case .v6(let high, _): high >> 54 == 0x3FA
        }
    }

    /// Whether the address can belong to one host: not unspecified, not multicast, not broadcast.
    public var isUnicast: Bool {
        switch self {
        case .v4(let bits): bits >> 24 != 0 && bits >> 28 < 0xE
        case .v6(let high, let low): (high, low) != (0, 0) && high >> 56 != 0xFF
        }
    }

    /// Network-order bytes, four or sixteen.
    var bytes: [UInt8] {
        switch self {
        case .v4(let bits): bits.bigEndianBytes
        case .v6(let high, let low): high.bigEndianBytes + low.bigEndianBytes
        }
    }
}

/// A numeric IP address with a port.
public struct TransportAddress: Hashable, Sendable {
    public var host: IPAddress
    public var port: UInt16

    public init(host: IPAddress, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// The address of a socket; `nil` for Unix sockets.
    public init?(_ address: SocketAddress) {
        guard let port = address.port.flatMap(UInt16.init(exactly:)) else { return nil }
        let place: Range<Int>
        switch address {
        case .v4: place = 4..<8
        case .v6: place = 8..<24
        case .unixDomainSocket: return nil
        }
        // The address stands at the same offset of the socket structure on every platform.
        let bytes = unsafe address.withSockAddr { pointer, size in
            unsafe size >= place.upperBound ? UnsafeRawBufferPointer(start: pointer, count: size)[place].map { $0 } : []
        }
        self.init(networkBytes: bytes, port: port)
    }

    /// Four or sixteen network-order bytes.
    init?(networkBytes bytes: some Collection<UInt8>, port: UInt16) {
        self.port = port
        func word<T: FixedWidthInteger>(_ part: some Collection<UInt8>, _ type: T.Type) -> T {
            part.reduce(0) { $0 << 8 | T($1) }
        }
        switch bytes.count {
        case 4:
            host = .v4(word(bytes, UInt32.self))
        case 16:
            // An IPv4 peer on a dual-stack socket is still an IPv4 peer.
            let high = word(bytes.prefix(8), UInt64.self)
            let low = word(bytes.dropFirst(8), UInt64.self)
            let isMapped = high == 0 && low >> 32 == 0xFFFF
            host = isMapped ? .v4(UInt32(truncatingIfNeeded: low)) : .v6(high: high, low: low)
        default:
            return nil
        }
    }

    /// The address in NIO's form.
    public var socketAddress: SocketAddress? {
        var buffer = ByteBuffer()
        buffer.writeBytes(host.bytes)
        return try? SocketAddress(packedIPAddress: buffer, port: Int(port))
    }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        TransportAddress(host: self, port: 0).socketAddress?.ipAddress ?? "?"
    }
}

extension TransportAddress: CustomStringConvertible {
    public var description: String {
        host.isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension FixedWidthInteger {
    /// The bytes of the number, most significant first.
    var bigEndianBytes: [UInt8] {
        stride(from: Self.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: self >> Self($0)) }
    }
}
