/// Damaged copies of valid bytes: flipped bits, cuts, insertions, repetitions and wild lengths, the same on each run.
public struct ByteMutations {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next(of original: [UInt8]) -> [UInt8] {
        var bytes = original
        for _ in 0...below(3) {
            guard !bytes.isEmpty else { return (0..<below(40)).map { _ in UInt8(below(256)) } }
            let place = below(bytes.count)
            switch below(6) {
            case 0: bytes[place] ^= 1 << UInt8(below(8))
            case 1: bytes[place] = UInt8(below(256))
            case 2: bytes.removeSubrange(place...)
            case 3: bytes.insert(UInt8(below(256)), at: place)
            case 4: bytes[place] = [0x00, 0x7F, 0x80, 0x81, 0x84, 0xFF][below(6)]
            default: bytes.insert(contentsOf: bytes[place..<min(place + below(16), bytes.count)], at: place)
            }
        }
        return bytes
    }

    private mutating func below(_ limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int(truncatingIfNeeded: (mixed ^ (mixed >> 31)) >> 1) % limit
    }
}
