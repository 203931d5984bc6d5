/// An IP address and a UDP port.
///
/// Kept as words: endpoints are compared and hashed for every packet.
public struct Endpoint: Hashable, Sendable {
    public enum Family: UInt8, Sendable {
        case ipv4, ipv6
    }

    public let family: Family
    /// The first eight bytes of an IPv6 address; zero for IPv4.
    public let high: UInt64
    /// The last eight bytes of an IPv6 address, or the four of an IPv4 address.
    public let low: UInt64
    public let port: UInt16

    public init(ipv4: UInt32, port: UInt16) {
        family = .ipv4
        high = 0
        low = UInt64(ipv4)
        self.port = port
    }

    /// An IPv6 address; one that is an IPv4 address in disguise (`::ffff:a.b.c.d`) becomes that IPv4 address.
    public init(ipv6 high: UInt64, _ low: UInt64, port: UInt16) {
        let isMapped = high == 0 && low >> 32 == 0xFFFF
        family = isMapped ? .ipv4 : .ipv6
        self.high = high
        self.low = isMapped ? low & 0xFFFF_FFFF : low
        self.port = port
    }

    /// Four or sixteen bytes of an address in network order, otherwise `nil`.
    public init?(address: some Collection<UInt8>, port: UInt16) {
        var words: (UInt64, UInt64) = (0, 0)
        for byte in address {
            words.0 = words.0 << 8 | words.1 >> 56
            words.1 = words.1 << 8 | UInt64(byte)
        }
        switch address.count {
        case 4: self.init(ipv4: UInt32(truncatingIfNeeded: words.1), port: port)
        case 16: self.init(ipv6: words.0, words.1, port: port)
        default: return nil
        }
    }

    /// The address in network order, without the port.
    public var addressBytes: [UInt8] {
        let lowBytes = stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: low >> UInt64($0)) }
        guard family == .ipv6 else { return Array(lowBytes.suffix(4)) }
        return stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: high >> UInt64($0)) } + lowBytes
    }

    public var isLoopback: Bool {
        switch family {
        case .ipv4: low >> 24 == 127
        case .ipv6: high == 0 && low == 1
        }
    }

    /// Whether no packet can honestly come from here, or none can be sent to it.
    ///
    /// That is port 0, multicast, broadcast and unspecified addresses, and link-local ones of IPv6, which mean nothing
    /// without an interface.
    ///
    /// Source: DHT protocol, "Martian filter".
    public var isMartian: Bool {
        guard port != 0 else { return true }
        switch family {
        case .ipv4: return low >> 24 == 0 || low >> 24 >= 224
        case .ipv6: return high >> 56 == 0xFF || high >> 54 == 0x3FA || (high == 0 && low == 0)
        }
    }

    /// The unit in which quotas and rates are counted: an IPv4 address, or the /64 network of an IPv6 address.
    var quotaGroup: UInt64 {
        switch family {
        case .ipv4: low
        case .ipv6: high
        }
    }

    /// An endpoint without a port that counts for a quota.
    init(quotaGroup: UInt64) {
        // No network of the world has only zeros in front.
        if let address = UInt32(exactly: quotaGroup) {
            self.init(ipv4: address, port: 0)
        } else {
            self.init(ipv6: quotaGroup, 0, port: 0)
        }
    }

    /// The same port at the address of another endpoint.
    func movedToAddress(of other: Endpoint) -> Endpoint {
        switch other.family {
        case .ipv4: Endpoint(ipv4: UInt32(truncatingIfNeeded: other.low), port: port)
        case .ipv6: Endpoint(ipv6: other.high, other.low, port: port)
        }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(high ^ low &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(port))
    }
}

extension Endpoint: CustomStringConvertible {
    /// The address alone, in its usual text form.
    ///
    /// Source: RFC 5952.
    public var addressText: String {
        let bytes = addressBytes
        guard family == .ipv6 else { return bytes.map { String($0) }.joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        let zeros = Self.longestZeros(in: groups)
        let texts = groups.map { String($0, radix: 16) }
        guard zeros.count > 1 else { return texts.joined(separator: ":") }
        let (before, behind) = (texts[..<zeros.lowerBound], texts[zeros.upperBound...])
        return before.joined(separator: ":") + "::" + behind.joined(separator: ":")
    }

    /// The longest run of zeros, the first of several, which is left out.
    ///
    /// Source: RFC 5952, section 4.2.
    private static func longestZeros(in groups: [UInt16]) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 { start = index + 1 }
            if index + 1 - start > longest.count { longest = start..<index + 1 }
        }
        return longest
    }

    public var description: String {
        family == .ipv4 ? "\(addressText):\(port)" : "[\(addressText)]:\(port)"
    }
}
