import Crypto
import Runtime

/// Makes and checks the write tokens that prove a requester owns its address.
///
/// A token is bound to IP and port; it lives until its secret was rotated twice. Source: DHT protocol, "Token".
struct TokenSecrets: Sendable {
    private var current: [UInt8]
    private var previous: [UInt8]

    init(using randomness: inout Randomness) {
        current = randomness.bytes(16)
        previous = current
    }

    mutating func rotate(using randomness: inout Randomness) {
        previous = current
        current = randomness.bytes(16)
    }

    /// Thirty-two bytes, the length that every peer accepts.
    func token(for endpoint: Endpoint) -> [UInt8] {
        Self.token(for: endpoint, secret: current)
    }

    func accepts(_ token: [UInt8], from endpoint: Endpoint) -> Bool {
        token == Self.token(for: endpoint, secret: current) || token == Self.token(for: endpoint, secret: previous)
    }

    private static func token(for endpoint: Endpoint, secret: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: secret)
        hash.update(data: endpoint.addressBytes)
        hash.update(data: [UInt8(endpoint.port >> 8), UInt8(endpoint.port & 0xFF)])
        return Array(hash.finalize())
    }
}
