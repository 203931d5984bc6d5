public import NIOCore

/// Who is counted as one client: an IPv4 address, or the /64 of an IPv6 address.
///
/// Source: names protocol, "Rate limits".
public struct ClientKey: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    /// Everybody whose address is not known, as over a Unix socket.
    public static let unknown = ClientKey(high: 0, low: 0)

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public init(_ address: SocketAddress?) {
        // The layout of socket addresses: 4 bytes behind family and port, or 16 behind a flow label, too.
        switch address {
        case .v4: self.init(v4: Self.bytes(of: address, 4..<8).reduce(0) { $0 << 8 | UInt32($1) })
        case .v6: self.init(v6: Self.bytes(of: address, 8..<24))
        case .unixDomainSocket, nil: self = .unknown
        }
    }

    private static func bytes(of address: SocketAddress?, _ range: Range<Int>) -> [UInt8] {
        let bytes = unsafe address?.withSockAddr { pointer, size in
            unsafe Array(UnsafeRawBufferPointer(start: pointer, count: size))
        }
        guard let bytes, bytes.count >= range.upperBound else { return Array(repeating: 0, count: range.count) }
        return Array(bytes[range])
    }

    /// The address in text, as proxies write it; `nil` for anything else.
    public init?(text: some StringProtocol) {
        guard text.utf8.count <= 45, let address = try? SocketAddress(ipAddress: String(text), port: 0) else {
            return nil
        }
        self.init(address)
    }

    private init(v4: UInt32) {
        self.init(high: 1, low: UInt64(v4))
    }

    private init(v6 bytes: [UInt8]) {
        // An IPv4 address inside of IPv6 is that IPv4 address.
        if bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
            self.init(v4: bytes[12..<16].reduce(0) { $0 << 8 | UInt32($1) })
        } else {
            self.init(high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }, low: 2)
        }
    }

    /// Whether the address is of this machine or of a private network, where a proxy stands.
    public var isPrivate: Bool {
        switch low {
        case _ where self == .unknown: return true
        case 2 where high != 1:
            // ::1 and :: share their /64; fc00::/7 and fe80::/10 are private.
            return high == 0 || high >> 57 == 0xFC >> 1 || high >> 54 == 0xFE80 >> 6
        default:
            let address = UInt32(truncatingIfNeeded: low)
            return address >> 24 == 127 || address >> 24 == 10 || address >> 20 == 0xAC1
                || address >> 16 == 0xC0A8 || address >> 16 == 0xA9FE
        }
    }
}

/// Finds the client behind a proxy.
enum ForwardedFor {
    /// The last address of the header, which the nearest proxy has written; the peer itself where that makes no sense.
    static func client(header: String?, peer: ClientKey) -> ClientKey {
        guard peer.isPrivate, let header, header.utf8.count <= 4_096, let last = header.split(separator: ",").last
        else { return peer }
        var text = last.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        // Some proxies write [2001:db8::1]:1234.
        if text.first == "[", let end = text.firstIndex(of: "]") {
            text = text[text.index(after: text.startIndex)..<end]
        }
        return ClientKey(text: text) ?? peer
    }
}
