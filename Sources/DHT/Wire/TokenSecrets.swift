import Runtime

/// Makes and checks the write tokens that prove a requester owns its address.
///
/// A token is bound to IP and port; it lives until its secret was rotated twice. Source: DHT protocol, "Token".
struct TokenSecrets: Sendable {
    private var current: (UInt64, UInt64)
    private var previous: (UInt64, UInt64)

    init(using randomness: inout Randomness) {
        current = (randomness.next(), randomness.next())
        previous = current
    }

    mutating func rotate(using randomness: inout Randomness) {
        previous = current
        current = (randomness.next(), randomness.next())
    }

    /// Thirty-two bytes, the length that every peer accepts: a hash of sixteen, twice.
    func token(for endpoint: Endpoint) -> [UInt8] {
        let words = Self.words(for: endpoint, secret: current)
        return unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            // Four words fill the 32 bytes.
            let output = UnsafeMutableRawBufferPointer(buffer)
            for half in stride(from: 0, to: 32, by: 16) {
                unsafe output.storeBytes(of: words.0.littleEndian, toByteOffset: half, as: UInt64.self)
                unsafe output.storeBytes(of: words.1.littleEndian, toByteOffset: half + 8, as: UInt64.self)
            }
            count = 32
        }
    }

    /// Whether the bytes at a range are a token that this endpoint got.
    func accepts(_ bytes: RawSpan, at range: Range<Int>, from endpoint: Endpoint) -> Bool {
        guard range.count == 32 else { return false }
        return isToken(bytes, range, Self.words(for: endpoint, secret: current))
            || isToken(bytes, range, Self.words(for: endpoint, secret: previous))
    }

    private func isToken(_ bytes: RawSpan, _ range: Range<Int>, _ words: (UInt64, UInt64)) -> Bool {
        // All is compared in any case, so that the time tells nothing.
        var difference: UInt64 = 0
        for half in 0..<2 {
            let start = range.lowerBound + 16 * half
            difference |= bytes.word(at: start, as: UInt64.self).byteSwapped ^ words.0
            difference |= bytes.word(at: start + 8, as: UInt64.self).byteSwapped ^ words.1
        }
        return difference == 0
    }

    private static func words(for endpoint: Endpoint, secret: (UInt64, UInt64)) -> (UInt64, UInt64) {
        var hash = SipHash(key: secret)
        hash.combine(endpoint.high)
        hash.combine(endpoint.low)
        var second = hash
        let place = UInt64(endpoint.port) << 8 | UInt64(endpoint.family.rawValue)
        hash.combine(place)
        second.combine(place | 1 << 32)
        return (hash.finalize(), second.finalize())
    }
}
