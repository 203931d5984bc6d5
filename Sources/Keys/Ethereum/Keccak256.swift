/// Keccak-256 with the original padding, as Ethereum uses it (not the later SHA3-256).
///
/// Source: the Keccak reference, section 1; names protocol, "Addresses".
public enum Keccak256 {
    private static let rate = 136

    private static let roundConstants: [UInt64] = {
        // The constants are bits of a linear feedback shift register over x^8 + x^6 + x^5 + x^4 + 1.
        var register: UInt8 = 1
        return (0..<24).map { _ in
            var constant: UInt64 = 0
            for power in 0..<7 {
                if register & 1 != 0 { constant |= 1 << ((1 << power) - 1) }
                register = register & 0x80 != 0 ? register << 1 ^ 0x71 : register << 1
            }
            return constant
        }
    }()

    public static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var lanes = [UInt64](repeating: 0, count: 25)
        var padded = bytes
        padded.append(0x01)
        while padded.count % rate != 0 { padded.append(0) }
        padded[padded.count - 1] |= 0x80
        for start in stride(from: 0, to: padded.count, by: rate) {
            for offset in 0..<rate {
                lanes[offset / 8] ^= UInt64(padded[start + offset]) << UInt64(offset % 8 * 8)
            }
            permute(&lanes)
        }
        return (0..<32).map { UInt8(truncatingIfNeeded: lanes[$0 / 8] >> UInt64($0 % 8 * 8)) }
    }

    private static func permute(_ lanes: inout [UInt64]) {
        for constant in roundConstants {
            var columns: [UInt64] = [0, 0, 0, 0, 0]
            for index in 0..<25 { columns[index % 5] ^= lanes[index] }
            for index in 0..<25 {
                let x = index % 5
                lanes[index] ^= columns[(x + 4) % 5] ^ rotate(columns[(x + 1) % 5], by: 1)
            }
            // Rho and pi in one walk over the lanes.
            var (x, y) = (1, 0)
            var carried = lanes[1]
            for step in 0..<24 {
                (x, y) = (y, (2 * x + 3 * y) % 5)
                let next = lanes[x + 5 * y]
                lanes[x + 5 * y] = rotate(carried, by: (step + 1) * (step + 2) / 2 % 64)
                carried = next
            }
            for row in stride(from: 0, to: 25, by: 5) {
                let saved = Array(lanes[row..<row + 5])
                for x in 0..<5 { lanes[row + x] = saved[x] ^ (~saved[(x + 1) % 5] & saved[(x + 2) % 5]) }
            }
            lanes[0] ^= constant
        }
    }

    private static func rotate(_ word: UInt64, by count: Int) -> UInt64 {
        count == 0 ? word : word << UInt64(count) | word >> UInt64(64 - count)
    }
}
